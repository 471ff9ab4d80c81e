//! Pages that need nothing else: the skeleton, the looks that all of them share, and how text gets into them.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::printable::printable;

/// Colours by day and by night, text, tables.
const STYLE: &str = include_str!("page.css");

/// One page. Body and styles are HTML and CSS as they are; what comes from outside went through [`escaped`].
#[derive(Default)]
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) style: &'a str,
    pub(super) body: String,
    pub(super) program: Option<Program<'a>>,
}

/// What makes a page move.
pub(super) struct Program<'a> {
    pub(super) script: &'a str,
    /// JSON, for the script.
    pub(super) data: String,
}

impl Page<'_> {
    pub(super) fn html(&self) -> String {
        let (title, style, body) = (escaped(self.title), self.style, &self.body);
        let (mut policy, mut end) = (String::new(), String::new());
        if let Some(Program { script, data }) = &self.program {
            // No name in the data can tell in advance what the data, itself included, hashes to.
            let nonce: String = Sha256::digest(data)[..16]
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            policy = format!(
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; \
                 form-action 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'\">\n"
            );
            end = format!(
                "<script type=\"application/json\" id=\"data\">{}</script>\n<script nonce=\"{nonce}\">\n{script}</script>\n",
                inside_script(data)
            );
        }
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n{policy}\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{STYLE}{style}</style></head>\n<body>\n{body}{end}</body></html>\n"
        )
    }
}

/// Text as HTML shows it, in elements and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// A name from an archive as HTML shows it, in which nothing can hide or reorder text.
pub(super) fn name(name: &[u8]) -> String {
    escaped(&printable(name))
}

/// JSON in which no tag can begin or end: these characters stand in its strings alone.
fn inside_script(json: &str) -> Cow<'_, str> {
    match json.contains(['<', '>', '&']) {
        false => Cow::Borrowed(json),
        true => Cow::Owned(
            json.replace('<', "\\u003c")
                .replace('>', "\\u003e")
                .replace('&', "\\u0026"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_a_tag() {
        assert_eq!(
            name(b"</b onclick='x'>\"&\x1b"),
            "&lt;/b onclick=&#39;x&#39;&gt;&quot;&amp;\\u{1b}"
        );
        assert_eq!(
            inside_script(r#"["</script><!--&"]"#),
            r#"["\u003c/script\u003e\u003c!--\u0026"]"#
        );
    }
}
