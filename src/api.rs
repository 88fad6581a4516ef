//! Types generated from `proto/evenhand/v1`, and the descriptor set for reflection.
//!
//! Nothing here is written by hand; what each field means stands in the proto files.

/// Messages, clients and servers of `evenhand.v1`.
#[expect(
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::missing_errors_doc,
    clippy::too_many_lines,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("evenhand.v1");
}

/// What servers that share a database ask of each other.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::missing_errors_doc,
    reason = "generated code"
)]
pub mod peer {
    tonic::include_proto!("evenhand.peer.v1");
}

/// The encoded file descriptor set of `evenhand.v1`, with comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/evenhand.bin"));
