//! The API as it is described to others: every part documented, named by one pattern, safe to retry.

use evenhand::api::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    set.file.into_iter().filter(|file| file.package() == "evenhand.v1").collect()
}

fn messages(file: &FileDescriptorProto) -> Vec<&DescriptorProto> {
    let nested = file.message_type.iter().flat_map(|message| &message.nested_type);
    file.message_type.iter().chain(nested).collect()
}

#[test]
fn every_part_has_a_comment() {
    for file in files() {
        let commented: Vec<&[i32]> = file
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .filter(|location| !location.leading_comments().trim().is_empty())
            .map(|location| location.path.as_slice())
            .collect();
        let mut missing = Vec::new();
        let mut check = |path: &[i32], name: String| {
            if !commented.contains(&path) {
                missing.push(name);
            }
        };
        for (index, service) in (0..).zip(&file.service) {
            check(&[6, index], service.name().to_owned());
            for (method_index, method) in (0..).zip(&service.method) {
                check(&[6, index, 2, method_index], method.name().to_owned());
            }
        }
        for (index, enumeration) in (0..).zip(&file.enum_type) {
            check(&[5, index], enumeration.name().to_owned());
            for (value_index, value) in (0..).zip(&enumeration.value) {
                check(&[5, index, 2, value_index], value.name().to_owned());
            }
        }
        for (index, message) in (0..).zip(&file.message_type) {
            check(&[4, index], message.name().to_owned());
            for (field_index, field) in (0..).zip(&message.field) {
                check(&[4, index, 2, field_index], format!("{}.{}", message.name(), field.name()));
            }
        }
        assert!(missing.is_empty(), "{}: no comment on {missing:?}", file.name());
    }
}

#[test]
fn each_rpc_has_a_request_and_a_response_of_its_own() {
    for file in files() {
        for service in &file.service {
            assert!(service.name().ends_with("Service"));
            for method in &service.method {
                let name = method.name();
                assert_eq!(method.input_type(), format!(".evenhand.v1.{name}Request"));
                assert_eq!(method.output_type(), format!(".evenhand.v1.{name}Response"));
            }
        }
    }
}

#[test]
fn the_zero_of_every_enum_says_nothing() {
    for file in files() {
        for enumeration in &file.enum_type {
            let zero = &enumeration.value[0];
            assert!(zero.number() == 0 && zero.name().ends_with("_UNSPECIFIED"), "{}", zero.name());
        }
    }
}

#[test]
fn every_request_that_changes_state_has_an_idempotency_key() {
    const READS: [&str; 6] = ["Get", "List", "Watch", "Stream", "Classify", "Check"];
    for file in files() {
        let writes = file
            .service
            .iter()
            .flat_map(|service| &service.method)
            .filter(|method| !READS.iter().any(|verb| method.name().starts_with(verb)));
        for method in writes {
            let request = format!("{}Request", method.name());
            let message = file.message_type.iter().find(|message| message.name() == request);
            let fields = &message.expect("the request stands beside its service").field;
            assert!(fields.iter().any(|field| field.name() == "idempotency_key"), "{request}");
        }
    }
}

#[test]
fn no_request_names_its_workspace_or_actor() {
    // They travel beside the request; only the administration of workspaces names them as objects.
    for file in files().iter().filter(|file| !file.name().ends_with("admin_service.proto")) {
        for message in messages(file).iter().filter(|m| m.name().ends_with("Request")) {
            for field in &message.field {
                assert!(!["workspace_id", "workspace", "actor"].contains(&field.name()));
            }
        }
    }
}
