//! Counts a document's tokens and brackets before the parser looks at it.
//!
//! The parser recurses once for each open bracket and costs time for each token; this neither recurses nor looks at a byte twice.
//! INVARIANT: whatever this accepts, the parser splits into the very same tokens; anything doubtful is refused here.

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
pub(super) struct Unlexed {
    pub(super) message: String,
    pub(super) at: Pos,
}

/// Counts the tokens of a document.
pub(super) fn count(document: &str) -> Result<Counts, Unlexed> {
    let mut counts = Counts::default();
    let mut open = 0_u64;
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
                open += 1;
                counts.nesting = counts.nesting.max(open);
                Some(tail)
            }
            b'}' | b']' | b')' => {
                open = open.saturating_sub(1);
                Some(tail)
            }
            b'!' | b'$' | b'&' | b':' | b'=' | b'@' | b'|' => Some(tail),
            b'.' => rest.strip_prefix(b"..."),
            b'"' => match rest.strip_prefix(b"\"\"\"") {
                Some(inside) => after_block_string(inside),
                None => after_string(tail),
            },
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                let after = skip_while(tail, |byte| byte == b'_' || byte.is_ascii_alphanumeric());
                counts.names += (rest.len() - after.len()) as u64;
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

fn unlexed(document: &str, rest: &[u8]) -> Unlexed {
    let before = document.get(..document.len() - rest.len()).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    let at = Pos { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 };
    let message = match rest.first() {
        Some(b'"') => "a string is never closed; close it, and escape line breaks as `\\n`".to_owned(),
        Some(b'-' | b'0'..=b'9') => "a number is malformed; separate it from what follows, and write no leading zeros".to_owned(),
        _ => {
            let character = String::from_utf8_lossy(rest).chars().next().unwrap_or_default();
            format!("`{}` has no place outside strings; remove it", character.escape_debug())
        }
    };
    Unlexed { message, at }
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
        let unlexed = count(document).unwrap_err();
        assert_eq!((unlexed.at.line, unlexed.at.column), (line, column), "{document}: {}", unlexed.message);
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
