//! The `exports` of a package.json: which file a package names for a subpath under given conditions.
//!
//! The algorithm of Node's documentation, "Resolution Algorithm Specification" (`PACKAGE_EXPORTS_RESOLVE`).

use crate::explain::json::Json;

/// What a package names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A path relative to the package.
    File(String),
    /// Nothing: `require` of it fails.
    None,
}

/// What `exports` names for a key such as `.` or `./lib/x`.
pub(super) fn target(exports: &Json, key: &str, conditions: &[&str]) -> Target {
    let by_subpath = match exports {
        Json::Object(members) => members.iter().any(|(name, _)| name.starts_with('.')),
        _ => false,
    };
    let file = match (by_subpath, exports) {
        (true, Json::Object(members)) => by_key(members, key, conditions),
        _ if key == "." => resolve(exports, None, conditions).flatten(),
        _ => None,
    };
    file.map_or(Target::None, Target::File)
}

/// The exact key, else the pattern with the longest beginning.
fn by_key(members: &[(String, Json)], key: &str, conditions: &[&str]) -> Option<String> {
    if !key.contains('*') && !key.ends_with('/') {
        let exact = members.iter().find(|(name, _)| name == key);
        if let Some((_, value)) = exact {
            return resolve(value, None, conditions).flatten();
        }
    }
    let matching = members.iter().filter_map(|(name, value)| {
        let (begin, end) = name.split_once('*')?;
        let fits = !end.contains('*') && key.len() > begin.len() + end.len().saturating_sub(1);
        let fits = fits && key.starts_with(begin) && key != begin && key.ends_with(end);
        fits.then(|| {
            (
                begin.len(),
                name.len(),
                &key[begin.len()..key.len() - end.len()],
                value,
            )
        })
    });
    let (.., part, value) = matching.max_by_key(|&(begin, whole, ..)| (begin, whole))?;
    resolve(value, Some(part), conditions).flatten()
}

/// `PACKAGE_TARGET_RESOLVE`. The outer nothing is "undefined", which lets the next condition try; the inner one
/// is `null`, which forbids.
fn resolve(value: &Json, part: Option<&str>, conditions: &[&str]) -> Option<Option<String>> {
    match value {
        Json::Text(text) => {
            let target = match part {
                Some(part) => text.replace('*', part),
                None => text.clone(),
            };
            Some(is_inside(&target).then_some(target))
        }
        Json::Object(members) => members
            .iter()
            .filter(|(name, _)| name == "default" || conditions.contains(&name.as_str()))
            .find_map(|(_, value)| resolve(value, part, conditions)),
        // The first that is no error and not undefined; a forbidden one is remembered.
        Json::List(items) => {
            let mut last = None;
            for item in items {
                match resolve(item, part, conditions) {
                    Some(Some(target)) => return Some(Some(target)),
                    Some(None) => last = Some(None),
                    None => {}
                }
            }
            last.or_else(|| items.is_empty().then_some(None))
        }
        Json::Null | Json::Other => Some(None),
    }
}

/// Targets begin with `./` and climb nowhere.
fn is_inside(target: &str) -> bool {
    target.strip_prefix("./").is_some_and(|rest| {
        let mut parts = rest.split(['/', '\\']);
        !parts.any(|part| matches!(part, "." | ".." | "node_modules"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(exports: &str, key: &str) -> Option<String> {
        let exports = Json::parse(exports.as_bytes()).unwrap();
        match target(&exports, key, &["require", "node"]) {
            Target::File(file) => Some(file),
            Target::None => None,
        }
    }

    #[test]
    fn the_first_condition_that_holds_counts_and_the_longest_pattern() {
        for (exports, key, expected) in [
            (r#""./a.js""#, ".", Some("./a.js")),
            (r#""./a.js""#, "./b", None),
            (r#"{"import":"./m.js","require":"./c.js"}"#, ".", Some("./c.js")),
            (r#"{"default":"./d.js","require":"./c.js"}"#, ".", Some("./d.js")),
            (
                r#"{"node":{"import":"./m.js"},"default":"./d.js"}"#,
                ".",
                Some("./d.js"),
            ),
            (r#"{"node":null,"default":"./d.js"}"#, ".", None),
            (
                r#"{".":"./a.js","./x":{"require":"./x.js"}}"#,
                "./x",
                Some("./x.js"),
            ),
            (r#"{".":"./a.js"}"#, "./package.json", None),
            (
                r#"{"./*":"./lib/*.js","./in/*":null}"#,
                "./b/c",
                Some("./lib/b/c.js"),
            ),
            (r#"{"./*":"./lib/*.js","./in/*":null}"#, "./in/c", None),
            (r#"{"./*.js":"./lib/*.js"}"#, "./b.js", Some("./lib/b.js")),
            (r#"{".":["https://x","./a.js"]}"#, ".", Some("./a.js")),
            (r#"{".":"../out.js"}"#, ".", None),
            (r#"{".":"./node_modules/x.js"}"#, ".", None),
            (r#"{".":[]}"#, ".", None),
            (r#"{}"#, ".", None),
        ] {
            assert_eq!(of(exports, key).as_deref(), expected, "{exports} {key}");
        }
    }
}
