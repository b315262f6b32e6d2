//! Folding: the one way in which texts are compared, in Rust and (as stored keys) in both databases.

use caseless::Caseless as _;
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Folds for comparison: compatibility caseless matching (Unicode 16, section 3.13, D146), surrounding white space gone.
#[must_use]
pub fn fold(text: &str) -> String {
    let text = text.trim();
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfd().default_case_fold().nfkd().default_case_fold().nfkc().collect()
}

/// Whether nobody sees a character where it stands, so that one name would look like another: those without width that no script needs,
/// blank letters, line separators, tags, and what turns the direction of what follows (Unicode Standard Annex 9, explicit embeddings,
/// overrides and isolates).
#[must_use]
pub const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The words by which a text is found: folded, accents removed, split at anything that is no letter or digit, each at most
/// [`crate::limits::WORD_CHARS`] characters, without repetition, in order.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let plain: String = fold(text).nfkd().filter(|c| !is_combining_mark(*c)).collect();
    let mut words: Vec<String> = Vec::new();
    for word in plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word: String = word.chars().take(crate::limits::WORD_CHARS).collect();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// A text on one line, of about `bytes` at most: for logs, which hold what others wrote.
#[must_use]
pub fn shortened(text: &str, bytes: usize) -> String {
    let end = text.floor_char_boundary(bytes);
    let (start, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    start.chars().map(visible).chain((!rest.is_empty()).then_some('…')).collect()
}

/// What others wrote for people to read, without what would move a terminal's cursor, turn the direction of what follows, or not be seen.
#[must_use]
pub fn readable(text: String) -> String {
    if text.chars().all(|character| visible(character) == character) { text } else { text.chars().map(visible).collect() }
}

fn visible(character: char) -> char {
    if character.is_control() {
        ' '
    } else if is_unseen(character) {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

/// The smallest text greater than every text that starts with `prefix`, by code points; `None` if there is none.
#[must_use]
pub fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // Surrogates are no characters: the code point after U+D7FF is U+E000.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_width_and_composition() {
        for (text, folded) in [("Straße", "strasse"), ("ＡＢＣ", "abc"), ("e\u{301}", "é"), (" X ", "x"), ("İ", "i̇")] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn what_people_read_hides_nothing() {
        for (text, shown) in [("plain – ünd", "plain – ünd"), ("a\n\u{1b}[2J", "a  [2J"), ("\u{202e}b\u{200b}", "\u{fffd}b\u{fffd}")]
        {
            assert_eq!(readable(text.to_owned()), shown);
            assert_eq!(shortened(text, 100), shown);
        }
    }

    #[test]
    fn finds_words_without_accents() {
        assert_eq!(words("Zoë O'Brien-Łuk"), ["zoe", "o", "brien", "łuk"]);
    }

    #[test]
    fn the_text_after_a_prefix_is_the_least_greater_one() {
        assert_eq!(after_prefix("ab"), Some("ac".into()));
        assert_eq!(after_prefix("a\u{10FFFF}"), Some("b".into()));
        assert_eq!(after_prefix("\u{10FFFF}"), None);
        assert_eq!(after_prefix("\u{D7FF}"), Some("\u{E000}".into()));
    }
}
