//! Sizes and counts in words: `256M`, `64KiB`, `1g`, `2 directories`.

/// Reads a size in bytes: a number, and k, M, G or T (in any case, with or without `B` or `iB`), all in
/// powers of 1024.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit
        .to_ascii_lowercase()
        .trim_end_matches('b')
        .trim_end_matches('i')
    {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err("expected a number with k, M, G or T, such as 256M".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a number such as 256M".to_owned())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "too large".to_owned())
}

/// Writes a size for people: the largest unit of which there is at least one, with one decimal.
pub(super) fn human(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB"].into_iter();
    let mut unit = units.next().unwrap_or("B");
    for larger in units {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{size:.1} {unit}")
    }
}

/// Writes a size in at most five characters, for columns: `812B`, `1.2K`, `45M`.
pub(super) fn short(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = 'B';
    for larger in ['K', 'M', 'G', 'T', 'P', 'E'] {
        // What would be written with four digits is written in the next unit.
        if size < 999.5 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    match unit {
        'B' => format!("{bytes}B"),
        _ if size < 9.95 => format!("{size:.1}{unit}"),
        _ => format!("{size:.0}{unit}"),
    }
}

/// Writes how many of something there are.
pub(super) fn counted(count: u64, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

/// Writes a part of a whole for people.
pub(super) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        _ => format!("{:.0} %", part as f64 * 100.0 / whole as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("64k", 65_536),
            ("64KiB", 65_536),
            ("256M", 268_435_456),
            ("1gb", 1 << 30),
            ("2T", 2 << 40),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "12x", "-1", "1.5M", "99999999999999T"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_written_in_few_columns() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (1000, "1.0K"),
            (10_188, "9.9K"),
            (10_189, "10K"),
            (1_023_000, "999K"),
            (1_023_999, "1.0M"),
            (262_144_000, "250M"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(short(bytes), text);
        }
    }

    #[test]
    fn sizes_are_written_in_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (262_144_000, "250.0 MiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
