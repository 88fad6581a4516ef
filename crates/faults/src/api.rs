//! The client, generated from `proto/evenhand/v1` by the build script.

/// Messages and clients of `evenhand.v1`.
#[expect(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::missing_errors_doc,
    reason = "generated code; what it means stands in proto/evenhand/v1"
)]
pub mod v1 {
    tonic::include_proto!("evenhand.v1");
}
