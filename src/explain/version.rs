//! Which of two version numbers is the higher one, as RubyGems compares them; near enough for all others.

use std::cmp::Ordering;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// Letters: a release that is not finished, below any number.
    Letters(&'a str),
    /// A number of any length, its leading zeros gone.
    Number(&'a str),
}

/// Compares piece by piece: numbers as numbers, letters below numbers, what is missing as 0.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (pieces(one), pieces(other));
    loop {
        let order = match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => rank(a.unwrap_or(Piece::Number(""))).cmp(&rank(b.unwrap_or(Piece::Number("")))),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Letters before numbers; longer numbers are higher; equally long ones compare as text.
fn rank(piece: Piece<'_>) -> (bool, usize, &str) {
    match piece {
        Piece::Letters(text) => (false, 0, text),
        Piece::Number(digits) => (true, digits.len(), digits),
    }
}

fn pieces(version: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = version;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let first = rest.chars().next()?;
        let is_number = first.is_ascii_digit();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() || c.is_ascii_digit() != is_number)
            .unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        rest = behind;
        Some(match is_number {
            true => Piece::Number(piece.trim_start_matches('0')),
            false => Piece::Letters(piece),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers_and_letters_below_them() {
        for (low, high) in [
            ("2.1.3", "2.2.6"),
            ("9", "10"),
            ("1.0.rc1", "1.0"),
            ("1.0.a", "1.0.b"),
            ("1", "1.0.1"),
        ] {
            assert_eq!(compare(low, high), Ordering::Less, "{low} {high}");
            assert_eq!(compare(high, low), Ordering::Greater, "{low} {high}");
        }
        assert_eq!(compare("1.0", "1"), Ordering::Equal);
        assert_eq!(compare("1.01", "1.1"), Ordering::Equal);
    }
}
