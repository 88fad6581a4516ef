//! `docs/policies.md`: what it shows can be sent as it stands.

use std::collections::BTreeMap;

use evenhand::{api::FILE_DESCRIPTOR_SET, domain::condition::Condition};
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorSet, field_descriptor_proto::Type};
use serde_json::Value;

use crate::source::read;

/// The blocks of the page in a language.
fn blocks(language: &str) -> Vec<String> {
    let page = read("docs/policies.md");
    let start = format!("```{language}\n");
    let blocks = page.split(start.as_str()).skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned()).collect()
}

/// The messages and the names of enum values of the API.
struct Api {
    messages: BTreeMap<String, DescriptorProto>,
    values: BTreeMap<String, Vec<String>>,
}

impl Api {
    fn new() -> Self {
        let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
        let mut api = Self { messages: BTreeMap::new(), values: BTreeMap::new() };
        for file in files {
            for message in &file.message_type {
                let name = format!(".{}.{}", file.package(), message.name());
                for nested in &message.nested_type {
                    api.messages.insert(format!("{name}.{}", nested.name()), nested.clone());
                }
                api.messages.insert(name, message.clone());
            }
            for kind in &file.enum_type {
                let values = kind.value.iter().map(|value| value.name().to_owned());
                api.values.insert(format!(".{}.{}", file.package(), kind.name()), values.collect());
            }
        }
        api
    }

    /// Notes every field that the API does not have, and every value of the wrong kind.
    fn check(&self, message: &str, value: &Value, wrong: &mut Vec<String>) {
        let message = &self.messages[message];
        for (key, value) in value.as_object().unwrap() {
            let Some(field) = message.field.iter().find(|field| field.name() == key) else {
                wrong.push(format!("{}.{key} is no field", message.name()));
                continue;
            };
            let kind = field.type_name();
            let values = match value {
                Value::Array(values) => values.iter().collect(),
                value => vec![value],
            };
            let map = self.messages.get(kind).filter(|entry| entry.name().ends_with("Entry"));
            for value in values {
                match (map, field.r#type()) {
                    (Some(entry), _) => {
                        for value in value.as_object().unwrap().values() {
                            self.check_entry(entry, value, wrong);
                        }
                    }
                    (None, Type::Message) => self.check(kind, value, wrong),
                    (None, Type::Enum) => {
                        let known =
                            self.values[kind].iter().any(|name| Some(&name[..]) == value.as_str());
                        if !known {
                            wrong.push(format!("{key} is never {value}"));
                        }
                    }
                    (None, Type::String) if value.is_string() => {}
                    (None, Type::Bool) if value.is_boolean() => {}
                    (None, Type::Uint32 | Type::Double) if value.is_number() => {}
                    _ => wrong.push(format!("{key} is not {value}")),
                }
            }
        }
    }

    fn check_entry(&self, entry: &DescriptorProto, value: &Value, wrong: &mut Vec<String>) {
        match entry.field[1].r#type() {
            Type::Message => self.check(entry.field[1].type_name(), value, wrong),
            _ => assert!(value.is_string(), "{value}"),
        }
    }
}

#[test]
fn the_policy_shown_has_every_field_of_a_policy_and_no_other() {
    let [block] = &blocks("json")[..] else { panic!("one policy") };
    let request: Value = serde_json::from_str(block).unwrap();
    let api = Api::new();
    let mut wrong = Vec::new();
    api.check(".evenhand.v1.SetPolicyRequest", &request, &mut wrong);
    assert!(wrong.is_empty(), "{wrong:?}");
    let shown = request["policy"].as_object().unwrap();
    for field in &api.messages[".evenhand.v1.Policy"].field {
        // The server gives the version; weights go with one order only.
        let left_out = ["version", "ageing_weights_milli"].contains(&field.name());
        assert!(left_out || shown.contains_key(field.name()), "{} is not shown", field.name());
    }
    let route = shown["routes"][0].as_object().unwrap();
    for field in &api.messages[".evenhand.v1.Route"].field {
        assert!(route.contains_key(field.name()), "{} is not shown", field.name());
    }
    Condition::parse(route["when"].as_str().unwrap()).unwrap();
}

#[test]
fn every_condition_shown_can_be_read() {
    let [block] = &blocks("text")[..] else { panic!("one list of conditions") };
    for source in block.lines() {
        Condition::parse(source).unwrap();
    }
}
