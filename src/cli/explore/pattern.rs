//! What is typed into filter and search: a part of a name, or a glob; with a slash in it, of the whole path.
//!
//! Case counts only where a capital is typed. `*` and `?` stay within a name, `**` crosses slashes; every
//! other character means itself.

use std::ops::Range;

/// A pattern that names are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    text: Vec<u8>,
    is_glob: bool,
    of_path: bool,
    ignores_case: bool,
}

impl Pattern {
    /// Nothing typed is no pattern.
    pub(super) fn new(typed: &str) -> Option<Pattern> {
        // People copy paths of a running function.
        let inside = typed.strip_prefix("/opt/").or_else(|| typed.strip_prefix('/'));
        let of_path = typed.contains('/');
        let text = inside.unwrap_or(typed);
        let ignores_case = !text.chars().any(char::is_uppercase);
        (!text.is_empty()).then(|| Pattern {
            text: text.as_bytes().to_vec(),
            is_glob: text.contains(['*', '?']),
            of_path,
            ignores_case,
        })
    }

    /// Whether [`Pattern::matches`] is to be asked with whole paths instead of names.
    pub(super) fn of_path(&self) -> bool {
        self.of_path
    }

    /// Whether a name fits, or a path where the pattern is one of paths.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        match self.is_glob {
            true => self.fits(name),
            false => name.windows(self.text.len()).any(|part| self.is_part(part)),
        }
    }

    /// Where in a name a typed part stands; nowhere of a glob or a path.
    pub(super) fn place_in(&self, name: &str) -> Option<Range<usize>> {
        if self.is_glob || self.of_path {
            return None;
        }
        let start = name
            .as_bytes()
            .windows(self.text.len())
            .position(|part| self.is_part(part))?;
        Some(start..start + self.text.len())
    }

    fn is_part(&self, part: &[u8]) -> bool {
        part.iter()
            .zip(&self.text)
            .all(|(&found, &typed)| self.is_same(typed, found))
    }

    fn is_same(&self, typed: u8, found: u8) -> bool {
        typed == found || (self.ignores_case && typed == found.to_ascii_lowercase())
    }

    /// The glob, by going on and coming back: to the last `*` for as long as no slash is in the way, then to
    /// the last `**`.
    fn fits(&self, name: &[u8]) -> bool {
        let typed = &self.text[..];
        let (mut p, mut n) = (0, 0);
        // What to go on with in the pattern, and in the name.
        let mut star: Option<(usize, usize)> = None;
        let mut deep: Option<(usize, usize)> = None;
        loop {
            match typed.get(p) {
                Some(b'*') if typed.get(p + 1) == Some(&b'*') => {
                    p += 2;
                    // `**/x` is x itself, too.
                    p += usize::from(typed.get(p) == Some(&b'/'));
                    (star, deep) = (None, Some((p, n)));
                    continue;
                }
                Some(b'*') => {
                    p += 1;
                    star = Some((p, n));
                    continue;
                }
                Some(b'?') if name.get(n).is_some_and(|&found| found != b'/') => {
                    p += 1;
                    n += 1;
                    // One character, however many bytes it has.
                    while name.get(n).is_some_and(|byte| byte & 0xc0 == 0x80) {
                        n += 1;
                    }
                    continue;
                }
                Some(&byte) if name.get(n).is_some_and(|&found| self.is_same(byte, found)) => {
                    p += 1;
                    n += 1;
                    continue;
                }
                None if n == name.len() => return true,
                _ => {}
            }
            if let Some((after, from)) = star
                && name.get(from).is_some_and(|&found| found != b'/')
            {
                star = Some((after, from + 1));
                (p, n) = (after, from + 1);
            } else if let Some((after, from)) = deep
                && from < name.len()
            {
                // Behind `**/` a name begins.
                let whole_names = after > 0 && typed[after - 1] == b'/';
                let step = match whole_names {
                    true => name[from..].iter().position(|&byte| byte == b'/'),
                    false => Some(0),
                };
                let Some(step) = step else { return false };
                (star, deep) = (None, Some((after, from + step + 1)));
                (p, n) = (after, from + step + 1);
            } else {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_fits_and_a_capital_counts() {
        for (typed, name, fits) in [
            ("bot", "boto3", true),
            ("bot", "ROBOT", true),
            ("Bot", "boto3", false),
            ("[id]", "page.[id].js", true),
            ("bot", "bo", false),
            ("é", "café", true),
        ] {
            let pattern = Pattern::new(typed).unwrap();
            assert!(!pattern.of_path());
            assert_eq!(pattern.matches(name.as_bytes()), fits, "{typed} {name}");
            assert_eq!(pattern.place_in(name).is_some(), fits, "{typed} {name}");
        }
        assert_eq!(Pattern::new(""), None);
        assert_eq!(Pattern::new("/"), None);
    }

    #[test]
    fn a_glob_fits_the_whole_name_or_path() {
        for (typed, name, fits) in [
            ("*.so", "x.so", true),
            ("*.so", "x.so.1", false),
            ("*.so*", "x.so.1", true),
            ("?.py", "é.py", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("/opt/python/*.py", "python/a.py", true),
            ("/python/*.py", "python/a/b.py", false),
            ("python/**.py", "python/a/b.py", true),
            ("**/b.py", "b.py", true),
            ("**/b.py", "a/c/b.py", true),
            ("**/b.py", "a/cb.py", false),
            ("a/**/*.x", "a/b/c/d.x", true),
            ("a/**/*.x", "b/c/d.x", false),
        ] {
            let pattern = Pattern::new(typed).unwrap();
            assert_eq!(pattern.of_path(), typed.contains('/'));
            assert_eq!(pattern.matches(name.as_bytes()), fits, "{typed} {name}");
        }
    }

    #[test]
    fn a_hard_glob_ends_soon() {
        let pattern = Pattern::new(&"*a".repeat(30)).unwrap();
        assert!(!pattern.matches(&[b"a".repeat(200), b"b".to_vec()].concat()));
    }
}
