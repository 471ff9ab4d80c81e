//! The objects of a bucket, page by page, as if there were directories where somebody asks for them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::objects::quoted;
use super::xml::{CommonPrefix, Content, Listing};
use super::{Answer, Question, xml};
use crate::store::date;
use crate::store::object::Object;

/// Keys on a page.
const PAGE: usize = 1000;
/// What stays as it is in a key that is written as a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

impl Question {
    /// ListObjectsV2, and the first version of it.
    pub(super) async fn list_objects(self) -> Answer {
        let word = |name: &str| self.call.word(name).map(str::to_owned);
        let (prefix, delimiter) = (word("prefix").unwrap_or_default(), word("delimiter"));
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        let asked = word("max-keys").and_then(|text| text.parse().ok());
        let most = asked.unwrap_or(PAGE).min(PAGE);
        let is_second = self.call.word("list-type") == Some("2");
        let token = word("continuation-token").and_then(|token| {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
            String::from_utf8(bytes).ok()
        });
        let after = match is_second {
            true => token.or_else(|| word("start-after")),
            false => word("marker"),
        };
        let (bucket, wanted) = (self.bucket.clone(), prefix.clone());
        let listed = self
            .desk
            .ask_plainly(move |store| store.list_objects(&bucket, &wanted));
        let objects = listed.await??;

        let mut names = grouped(&objects, prefix.len(), delimiter.as_deref());
        if let Some(after) = &after {
            names.retain(|name, _| *name > after.as_str());
        }
        let is_truncated = names.len() > most;
        let names: Vec<_> = names.into_iter().take(most).collect();
        let encoding = word("encoding-type").filter(|encoding| encoding == "url");
        let written = |text: &str| match encoding {
            Some(_) => utf8_percent_encode(text, ENCODED).to_string(),
            None => text.to_owned(),
        };
        let last = names.last().filter(|_| is_truncated).map(|(name, _)| *name);
        let content = |object: &Object| Content {
            key: written(&object.key),
            last_modified: xml::date(&date::of(object.modified)),
            etag: quoted(&object.etag),
            size: object.size,
            storage_class: "STANDARD",
        };
        let common = |name: &str| CommonPrefix {
            prefix: written(name),
        };
        Ok(xml::answer(&Listing {
            namespace: xml::namespace(),
            name: self.bucket.clone(),
            prefix: written(&prefix),
            delimiter: delimiter.as_deref().map(written),
            max_keys: most,
            key_count: names.len(),
            is_truncated,
            next_continuation_token: last
                .filter(|_| is_second)
                .map(|last| URL_SAFE_NO_PAD.encode(last)),
            next_marker: last.filter(|_| !is_second).map(written),
            contents: names
                .iter()
                .filter_map(|(_, object)| object.map(content))
                .collect(),
            common_prefixes: names
                .iter()
                .filter(|(_, object)| object.is_none())
                .map(|(name, _)| common(name))
                .collect(),
            encoding_type: encoding.clone(),
        }))
    }
}

/// Keys with their objects, and what several have in common up to the next delimiter, without any.
fn grouped<'a>(
    objects: &'a [Object],
    prefix: usize,
    delimiter: Option<&str>,
) -> BTreeMap<&'a str, Option<&'a Object>> {
    let mut names = BTreeMap::new();
    for object in objects {
        let key = object.key.as_str();
        let end =
            delimiter.and_then(|delimiter| Some(prefix + key[prefix..].find(delimiter)? + delimiter.len()));
        match end {
            Some(end) => names.insert(&key[..end], None),
            None => names.insert(key, Some(object)),
        };
    }
    names
}
