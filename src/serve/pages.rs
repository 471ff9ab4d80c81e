//! Lists page by page: how many a client wants, and the marker that says where the next page begins.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::call::Call;
use super::fault::Fault;

/// A page of a list.
pub(super) struct Page {
    most: usize,
    after: Option<String>,
}

impl Page {
    /// The page that a call asks for. It may ask for `most_asked`, and gets `most_given`, which is also what it gets when it
    /// says nothing.
    pub(super) fn of(call: &Call, most_asked: u64, most_given: usize) -> Result<Page, Fault> {
        let most = match call.word("MaxItems") {
            None | Some("") => most_given,
            Some(text) => {
                let asked: i64 = text.parse().map_err(|_| {
                    Fault::serialization(format!("MaxItems: {text:?} can not be converted to an Integer"))
                })?;
                let refuse =
                    |constraint: String| Fault::validation("maxItems", &format!("'{asked}'"), &constraint);
                if asked < 1 {
                    return Err(refuse(
                        "Member must have value greater than or equal to 1".to_owned(),
                    ));
                }
                if asked.unsigned_abs() > most_asked {
                    let constraint = format!("Member must have value less than or equal to {most_asked}");
                    return Err(refuse(constraint));
                }
                most_given.min(usize::try_from(asked).unwrap_or(most_given))
            }
        };
        let after = match call.word("Marker") {
            None | Some("") => None,
            Some(marker) => Some(read_marker(marker)?),
        };
        Ok(Page { most, after })
    }

    /// How many items are enough to make the page, and to know whether there are more.
    pub(super) fn enough(&self) -> usize {
        self.most + 1
    }

    /// Behind which key it begins.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The items of this page, and the marker of the next where there is one. `key` is what the list is in order of;
    /// `is_behind` says whether a key comes behind another.
    pub(super) fn cut<T>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
        is_behind: impl Fn(&str, &str) -> bool,
    ) -> (Vec<T>, Option<String>) {
        if let Some(after) = &self.after {
            items.retain(|item| is_behind(&key(item), after));
        }
        let is_more = items.len() > self.most;
        items.truncate(self.most);
        let marker = items
            .last()
            .filter(|_| is_more)
            .map(|last| write_marker(&key(last)));
        (items, marker)
    }
}

/// Nobody is to make anything of it.
fn write_marker(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

fn read_marker(marker: &str) -> Result<String, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Fault::parameter(format!("Invalid marker: {marker}")))
}
