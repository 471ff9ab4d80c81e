//! Names from archives made safe for a terminal.

use std::borrow::Cow;

/// A name in which nothing can move the cursor: control characters and bytes that are no UTF-8 become
/// `\n`, `\x1b` and the like.
pub(super) fn printable(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.chars().any(is_unsafe) => Cow::Borrowed(text),
        _ => {
            let mut safe = String::new();
            for chunk in name.utf8_chunks() {
                for c in chunk.valid().chars() {
                    match is_unsafe(c) {
                        true => safe.extend(c.escape_default()),
                        false => safe.push(c),
                    }
                }
                safe.push_str(&chunk.invalid().escape_ascii().to_string());
            }
            Cow::Owned(safe)
        }
    }
}

/// Control characters, and those that reorder or hide what stands beside them (Unicode TR 36, 2.10).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_can_move_the_cursor() {
        assert_eq!(printable("café ☕".as_bytes()), "café ☕");
        assert_eq!(printable(b"a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable(b"caf\xe9"), "caf\\xe9");
        assert_eq!(printable("x\u{202e}gpj.exe".as_bytes()), "x\\u{202e}gpj.exe");
    }
}
