//! Random expressions of templates, judged by what a naive reading makes of them; and templates with random damage.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use optfs::template::{LayerSource, Template, TemplateError, World};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::generate::holds;

/// What stands before the expression: a parameter, a mapping, a condition that holds and one that does not.
const HEADER: &str = "Parameters: {P: {Type: String, Default: 'p,q'}}
Mappings: {M: {one: {key: mapped}}}
Conditions: {'Yes': !Equals [a, a], 'No': !Not [!Condition 'Yes']}
Resources:
  L: {Type: AWS::Lambda::LayerVersion, Properties: {Content: files}}
  F: {Type: AWS::Lambda::Function, Properties: {Layers: [";

#[derive(Debug, Clone)]
enum Text {
    Plain(&'static str),
    Parameter,
    Region,
    Mapped,
    Join(&'static str, Vec<Text>),
    Sub(Box<Text>),
    If(bool, Box<Text>, Box<Text>),
    Select(usize, Vec<Text>),
    Part(usize, Box<Text>),
}

impl Text {
    /// What it comes to; none where a list has no such part.
    fn value(&self) -> Option<String> {
        Some(match self {
            Text::Plain(text) => (*text).to_owned(),
            Text::Parameter => "p,q".to_owned(),
            Text::Region => "eu-west-1".to_owned(),
            Text::Mapped => "mapped".to_owned(),
            Text::Join(between, parts) => {
                let parts: Option<Vec<_>> = parts.iter().map(Text::value).collect();
                parts?.join(between)
            }
            Text::Sub(inside) => format!("<{}|p,q|${{P}}>", inside.value()?),
            Text::If(true, yes, _) => yes.value()?,
            Text::If(false, _, no) => no.value()?,
            Text::Select(number, list) => {
                let list: Option<Vec<_>> = list.iter().map(Text::value).collect();
                list?.get(*number)?.clone()
            }
            Text::Part(number, text) => text.value()?.split(',').nth(*number)?.to_owned(),
        })
    }

    /// How it is written, in short forms or in long ones.
    fn written(&self, short: bool) -> String {
        let call = |name: &str, given: String| match (short, name) {
            (true, _) => format!("!{name} {given}"),
            (false, "Ref") => format!("{{Ref: {given}}}"),
            (false, _) => format!("{{'Fn::{name}': {given}}}"),
        };
        let list = |parts: &[Text]| {
            let parts: Vec<_> = parts.iter().map(|part| part.written(!short)).collect();
            format!("[{}]", parts.join(", "))
        };
        match self {
            Text::Plain(text) => format!("'{text}'"),
            Text::Parameter => call("Ref", "P".to_owned()),
            Text::Region => call("Ref", "'AWS::Region'".to_owned()),
            Text::Mapped => call("FindInMap", "[M, one, key]".to_owned()),
            Text::Join(between, parts) => call("Join", format!("['{between}', {}]", list(parts))),
            Text::Sub(inside) => call(
                "Sub",
                format!("['<${{I}}|${{P}}|${{!P}}>', {{I: {}}}]", inside.written(short)),
            ),
            Text::If(which, yes, no) => {
                let which = if *which { "Yes" } else { "No" };
                let (yes, no) = (yes.written(!short), no.written(short));
                call("If", format!("['{which}', {yes}, {no}]"))
            }
            Text::Select(number, parts) => call("Select", format!("[{number}, {}]", list(parts))),
            Text::Part(number, text) => {
                let split = match short {
                    true => format!("{{'Fn::Split': [',', {}]}}", text.written(short)),
                    false => format!("!Split [',', {}]", text.written(short)),
                };
                call("Select", format!("['{number}', {split}]"))
            }
        }
    }
}

fn texts() -> impl Strategy<Value = Text> {
    let leaf = prop_oneof![
        select(&["a", "", "x:y", "1", "~", "true", "é,b"][..]).prop_map(Text::Plain),
        Just(Text::Parameter),
        Just(Text::Region),
        Just(Text::Mapped),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let few = || vec(inner.clone(), 1..4);
        let one = || inner.clone().prop_map(Box::new);
        prop_oneof![
            (select(&["", ",", ":"][..]), few()).prop_map(|(between, parts)| Text::Join(between, parts)),
            one().prop_map(Text::Sub),
            (any::<bool>(), one(), one()).prop_map(|(which, yes, no)| Text::If(which, yes, no)),
            (0..4usize, few()).prop_map(|(number, list)| Text::Select(number, list)),
            (0..3usize, one()).prop_map(|(number, text)| Text::Part(number, text)),
        ]
    })
}

fn layers(text: &[u8]) -> Result<Vec<LayerSource>, TemplateError> {
    let read = |path: &Path| match path == Path::new("t.yaml") {
        true => Ok(text.to_vec()),
        false => Err(io::ErrorKind::NotFound.into()),
    };
    let world = World {
        read: &read,
        parameters: BTreeMap::new(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
    };
    let template = Template::read(Path::new("t.yaml"), &world)?;
    Ok(template.function("F")?.layers)
}

#[test]
fn expressions_come_to_what_a_naive_reading_makes_of_them() {
    holds(256, (texts(), any::<bool>()), |(text, short)| {
        let template = format!("{HEADER}{}]}}}}\n", text.written(short));
        let found = layers(template.as_bytes());
        match (text.value(), &found) {
            (Some(value), Ok(layers)) => {
                let [LayerSource::Published { arn, .. }] = &layers[..] else {
                    return Err(TestCaseError::fail(format!("{template}\n{found:?}")));
                };
                prop_assert_eq!(arn, &value, "{}", template);
            }
            // A part that a list does not have.
            (None, Err(error)) => prop_assert!(error.to_string().contains("counted from 0"), "{}", error),
            (value, _) => return Err(TestCaseError::fail(format!("{template}\n{found:?}\n{value:?}"))),
        }
        Ok(())
    });
}

/// An answer, whatever was done to the text; none is a panic.
#[test]
fn damaged_templates_have_an_answer() {
    let damage = vec((any::<u16>(), any::<u8>(), 0..4usize), 1..6);
    holds(256, (texts(), damage), |(text, damage)| {
        let mut bytes = format!("{HEADER}{}, !Ref L]}}}}\n", text.written(true)).into_bytes();
        for (place, byte, removed) in damage {
            let place = usize::from(place) % bytes.len();
            let end = (place + removed).min(bytes.len());
            bytes.splice(place..end, [byte]);
        }
        if let Err(error) = layers(&bytes) {
            prop_assert!(error.to_string().starts_with("t.yaml"), "{}", error);
        }
        Ok(())
    });
}
