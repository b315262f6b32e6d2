//! Counts a document's tokens and brackets before the parser looks at it.
//!
//! The parser recurses once for each open bracket and costs time for each token; this does not recurse, and costs as much as the document is long.
//! It also sees what the parser forgets: a field that an input object names a second time.
//! INVARIANT: whatever this accepts, the parser splits into the very same tokens; anything doubtful is refused here.

use std::collections::HashSet;

use async_graphql::Pos;

/// What a document is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Tokens as the specification has them (October 2021, section 2.1.6), and each comment as one more.
    pub(super) tokens: u64,
    /// The most brackets open at once.
    pub(super) nesting: u64,
    /// Bytes of all names.
    pub(super) names: u64,
}

/// Where a document stops being one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unlexed {
    /// No token begins here.
    Malformed { message: String, at: Pos },
    /// An input object has a field of this name already (section 5.6.3).
    Twice { name: String, at: Pos },
}

/// Counts the tokens of a document.
pub(super) fn count(document: &str) -> Result<Counts, Unlexed> {
    let mut counts = Counts::default();
    let mut open = Open::default();
    // The last name, and the document from it on.
    let (mut name, mut named): (&[u8], &[u8]) = (&[], &[]);
    let mut rest = document.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let after = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                rest = tail;
                continue;
            }
            0xEF if rest.starts_with(BYTE_ORDER_MARK) => {
                rest = skip(rest, BYTE_ORDER_MARK.len());
                continue;
            }
            // Comments cost the parser as much as tokens do.
            b'#' => Some(skip_while(tail, |byte| !matches!(byte, b'\r' | b'\n'))),
            b'{' | b'[' | b'(' => {
                open.push(byte);
                counts.nesting = counts.nesting.max(open.0.len() as u64);
                Some(tail)
            }
            b'}' | b']' | b')' => {
                open.0.pop();
                Some(tail)
            }
            b':' if !open.names(name) => {
                let name = String::from_utf8_lossy(name).into_owned();
                return Err(Unlexed::Twice { name, at: position(document, named) });
            }
            b':' => Some(tail),
            b'!' | b'$' | b'&' | b'=' | b'@' | b'|' => Some(tail),
            b'.' => rest.strip_prefix(b"..."),
            b'"' => match rest.strip_prefix(b"\"\"\"") {
                Some(inside) => after_block_string(inside),
                None => after_string(tail),
            },
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                let after = skip_while(tail, |byte| byte == b'_' || byte.is_ascii_alphanumeric());
                (name, named) = (rest.get(..rest.len() - after.len()).unwrap_or_default(), rest);
                counts.names += name.len() as u64;
                Some(after)
            }
            b'-' | b'0'..=b'9' => after_number(rest),
            _ => None,
        };
        rest = after.ok_or_else(|| unlexed(document, rest))?;
        counts.tokens += 1;
    }
    Ok(counts)
}

/// The brackets that are open.
#[derive(Default)]
struct Open<'a>(Vec<Bracket<'a>>);

/// An open bracket.
struct Bracket<'a> {
    /// Whether it is a parenthesis or within one: braces there hold input objects, and elsewhere selections.
    values: bool,
    /// Whether it holds an input object.
    object: bool,
    /// The fields that this object has so far.
    names: HashSet<&'a [u8]>,
}

impl<'a> Open<'a> {
    fn push(&mut self, bracket: u8) {
        let within = self.0.last().is_some_and(|bracket| bracket.values);
        self.0.push(Bracket { values: within || bracket == b'(', object: within && bracket == b'{', names: HashSet::new() });
    }

    /// Takes a name before a colon; whether it is new there.
    fn names(&mut self, name: &'a [u8]) -> bool {
        self.0.last_mut().is_none_or(|bracket| !bracket.object || bracket.names.insert(name))
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What follows a number, which neither a digit nor a dot nor a name may touch (section 2.9.1).
fn after_number(number: &[u8]) -> Option<&[u8]> {
    let digits = |text| Some(skip_while(text, |byte: u8| byte.is_ascii_digit())).filter(|rest: &&[u8]| rest.len() < text.len());
    let whole = number.strip_prefix(b"-").unwrap_or(number);
    let mut rest = match whole.strip_prefix(b"0") {
        Some(rest) => rest,
        None => digits(whole)?,
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = digits(fraction)?;
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        rest = digits(exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent))?;
    }
    let touched = matches!(rest.first(), Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    (!touched).then_some(rest)
}

fn after_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = skip_while(rest, |byte| !matches!(byte, b'"' | b'\\' | b'\r' | b'\n'));
        match rest {
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', escaped, tail @ ..] if !matches!(escaped, b'\r' | b'\n') => rest = tail,
            _ => return None,
        }
    }
}

fn after_block_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = skip_while(rest, |byte| !matches!(byte, b'"' | b'\\'));
        rest = match rest {
            [b'"', b'"', b'"', tail @ ..] => return Some(tail),
            [b'\\', b'"', b'"', b'"', tail @ ..] | [_, tail @ ..] => tail,
            [] => return None,
        }
    }
}

fn skip(text: &[u8], bytes: usize) -> &[u8] {
    text.get(bytes..).unwrap_or_default()
}

fn skip_while(text: &[u8], wanted: impl Fn(u8) -> bool) -> &[u8] {
    skip(text, text.iter().take_while(|byte| wanted(**byte)).count())
}

/// Where the rest of a document begins.
fn position(document: &str, rest: &[u8]) -> Pos {
    let before = document.get(..document.len() - rest.len()).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    Pos { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
}

fn unlexed(document: &str, rest: &[u8]) -> Unlexed {
    let message = match rest.first() {
        Some(b'"') => "a string is never closed; close it, and escape line breaks as `\\n`".to_owned(),
        Some(b'-' | b'0'..=b'9') => "a number is malformed; separate it from what follows, and write no leading zeros".to_owned(),
        _ => {
            let character = String::from_utf8_lossy(rest).chars().next().unwrap_or_default();
            format!("`{}` has no place outside strings; remove it", character.escape_debug())
        }
    };
    Unlexed::Malformed { message, at: position(document, rest) }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn check(document: &str, tokens: u64, nesting: u64) {
        let counts = count(document).unwrap();
        assert_eq!((counts.tokens, counts.nesting), (tokens, nesting), "{document}");
    }

    fn refused(document: &str, line: usize, column: usize) {
        let Unlexed::Malformed { message, at } = count(document).unwrap_err() else { panic!("{document}") };
        assert_eq!((at.line, at.column), (line, column), "{document}: {message}");
    }

    fn twice(document: &str, name: &str, line: usize, column: usize) {
        assert_eq!(count(document).unwrap_err(), Unlexed::Twice { name: name.to_owned(), at: Pos { line, column } }, "{document}");
    }

    #[test]
    fn tokens_are_those_of_the_specification() {
        check("", 0, 0);
        check("\u{feff}{ a, b,, }", 4, 1);
        check("{a(b:[1 -2.5e+3 0])...F}", 14, 3);
        check("query($a:[Int!]!=1)@x{b}", 18, 2);
        check("{ # one\n a # two\r\n}# three", 6, 1);
        check(r#"{a(b:"x\"{{{" c:"")}"#, 11, 2);
        check("{a(b:\"\"\"{{ \\\"\"\" \" \"\" {{\"\"\")}", 8, 2);
        check("{a(b:\"\u{e9}\u{1f3c3}\")}", 8, 2);
        check("}}}{", 4, 1);
        check("{a(b:[1-1])}", 11, 3);
    }

    #[test]
    fn names_are_counted_in_bytes() {
        assert_eq!(count("query Ab($c: D) { e(f: \"ghi\", j: -1.5e3) @k ...L } # m").unwrap().names, 5 + 2 + 7);
    }

    #[test]
    fn what_the_parser_would_split_differently_is_refused() {
        refused("{a(b:[000])}", 1, 7);
        refused("{a(b:1.)}", 1, 6);
        refused("{a(b:1a)}", 1, 6);
        refused("{a(b:1...)}", 1, 6);
        refused("{a(b:-)}", 1, 6);
        refused("{\n  a(b:\"x\n\")}", 2, 7);
        refused("{a(b:\"\"\" \"[[[[[[\"", 1, 6);
        refused("{a(b:\"\\", 1, 6);
        refused("{a..b}", 1, 3);
        refused("{a \u{a0} b}", 1, 4);
        refused("{a ; b}", 1, 4);
    }

    #[test]
    fn an_input_object_has_each_field_once() {
        twice("{a(b:{c:1,c:2})}", "c", 1, 11);
        twice("{\n a(b:[{c:{d:1}} {e:{f:g f\n#\n:2}}])}", "f", 2, 25);
        twice("query($a:B={c:1 d:c c:2}){e}", "c", 1, 21);
        twice("{a @b(c:{d:$d,e:1,d:$e}) {f}}", "d", 1, 19);
        for each_once in ["{a(b:{c:1},d:{c:{c:c}})}", "{a:b a:b}", "{a(b:[{c:1}{c:2}]){c:d c:d{e:f e:f}}}", "{a(b:{c:$c,d:d,e:[d]})}"] {
            assert!(parse_query(each_once).is_ok() && count(each_once).is_ok(), "{each_once}");
        }
        let long: String = (0..20_000).map(|at| format!("a{at}:1 ")).collect();
        assert_eq!(count(&format!("{{a(b:{{{long}}})}}")).unwrap().tokens, 60_000 + 9);
    }

    #[test]
    fn whatever_the_parser_takes_is_counted() {
        for document in [
            "{a(b:1.5E-3,c:[\"\"\"x\"\"\",\"\"]){...on A@b{c}...D}}fragment D on A{e:f}",
            "subscription S($a:B={c:[1]}){e}",
            "\u{feff}query{a}#",
            "{a(b:{c:$d,e:ENUM,f:null,g:true,h:-0})}",
        ] {
            assert!(parse_query(document).is_ok(), "{document}");
            assert!(count(document).is_ok(), "{document}");
        }
    }
}
