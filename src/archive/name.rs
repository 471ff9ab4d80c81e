//! Which bytes an entry is called: the charset rules of zip names.
//!
//! Leaves the question whether those bytes are a legal path to `path`.

use std::borrow::Cow;

use rawzip::extra_fields::{ExtraFieldId, ExtraFields};

/// Info-ZIP Unicode Path extra field (APPNOTE 4.6.9).
const UNICODE_PATH: ExtraFieldId = ExtraFieldId::new(0x7075);

/// Hosts whose tools write names in CP437 when they do not write UTF-8: FAT, HPFS, NTFS and VFAT
/// (APPNOTE 4.4.2.2).
fn is_dos_like(host: u8) -> bool {
    matches!(host, 0 | 6 | 10 | 11 | 14)
}

/// Decodes the name of an entry made on `host`.
///
/// Semantics decision: (3) the Unicode path field is honoured when its CRC fits the raw name; else
/// valid UTF-8 is taken as it is; else CP437 when the entry was made on a FAT or NTFS host; else the
/// raw bytes.
pub(super) fn decode<'a>(raw: &'a [u8], extra: ExtraFields<'a>, host: u8) -> Cow<'a, [u8]> {
    if raw.is_ascii() && extra.remaining_bytes().is_empty() {
        return Cow::Borrowed(raw);
    }
    if let Some(name) = unicode_path(raw, extra) {
        return Cow::Borrowed(name);
    }
    if !is_dos_like(host) || std::str::from_utf8(raw).is_ok() {
        return Cow::Borrowed(raw);
    }
    Cow::Owned(
        raw.iter()
            .map(|&b| from_cp437(b))
            .collect::<String>()
            .into_bytes(),
    )
}

/// The field's layout: version 1, CRC-32 of the raw name, the name in UTF-8.
fn unicode_path<'a>(raw: &[u8], extra: ExtraFields<'a>) -> Option<&'a [u8]> {
    let (_, field) = extra.into_iter().find(|(id, _)| *id == UNICODE_PATH)?;
    let (head, name) = field.split_at_checked(5)?;
    let crc = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let fits = head[0] == 1 && crc == crc32fast::hash(raw) && !name.is_empty();
    (fits && std::str::from_utf8(name).is_ok()).then_some(name)
}

fn from_cp437(byte: u8) -> char {
    match byte {
        0..=0x7f => char::from(byte),
        _ => CP437_HIGH[usize::from(byte - 0x80)],
    }
}

/// The upper half of code page 437 (unicode.org, VENDORS/MICSFT/PC/CP437.TXT).
#[rustfmt::skip]
const CP437_HIGH: [char; 128] = [
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å',
    'É', 'æ', 'Æ', 'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ',
    'á', 'í', 'ó', 'ú', 'ñ', 'Ñ', 'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»',
    '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕', '╣', '║', '╗', '╝', '╜', '╛', '┐',
    '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦', '╠', '═', '╬', '╧',
    '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐', '▀',
    'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩',
    '≡', '±', '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
];

#[cfg(test)]
mod tests {
    use super::*;

    fn field(raw: &[u8], name: &str) -> Vec<u8> {
        let mut data = vec![1];
        data.extend_from_slice(&crc32fast::hash(raw).to_le_bytes());
        data.extend_from_slice(name.as_bytes());
        let mut extra = vec![0x75, 0x70];
        extra.extend_from_slice(&(data.len() as u16).to_le_bytes());
        extra.extend_from_slice(&data);
        extra
    }

    #[test]
    fn the_unicode_path_field_counts_only_when_its_crc_fits() {
        let extra = field(b"caf?", "café");
        assert_eq!(&*decode(b"caf?", ExtraFields::new(&extra), 3), "café".as_bytes());
        assert_eq!(&*decode(b"other", ExtraFields::new(&extra), 3), b"other");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_cp437_on_dos_hosts_and_raw_elsewhere() {
        let none = || ExtraFields::new(&[]);
        assert_eq!(&*decode(b"caf\x82", none(), 0), "café".as_bytes());
        assert_eq!(&*decode(b"caf\x82", none(), 3), b"caf\x82");
        assert_eq!(&*decode("café".as_bytes(), none(), 0), "café".as_bytes());
    }
}
