//! Comparing texts, for the letters that the generators use.

/// Letters that differ from a plain one by an accent.
const ACCENTS: [(char, char); 9] =
    [('ä', 'a'), ('é', 'e'), ('è', 'e'), ('ë', 'e'), ('ö', 'o'), ('å', 'a'), ('ü', 'u'), ('ç', 'c'), ('ñ', 'n')];
/// The distance from a wide letter to the plain one.
const WIDE: u32 = 'Ａ' as u32 - 'A' as u32;

/// As texts are compared: no case, no width, no white space around.
#[must_use]
pub fn fold(text: &str) -> String {
    let narrow = |letter: char| match letter {
        '！'..='～' => char::from_u32(letter as u32 - WIDE).unwrap(),
        other => other,
    };
    text.trim().chars().map(narrow).flat_map(char::to_lowercase).collect::<String>().replace('ß', "ss")
}

/// As texts are found: the words of the folded text, without accents.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let plain = |letter: char| ACCENTS.into_iter().find(|(accented, _)| *accented == letter).map_or(letter, |(_, plain)| plain);
    let text: String = fold(text).chars().map(plain).collect();
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_generators_letters_compare_as_unicode_says() {
        for (text, folded) in [("Straße", "strasse"), ("ＺＯＥ", "zoe"), (" Ada ", "ada"), ("ÅSA", "åsa"), ("Éric", "éric")] {
            assert_eq!(super::fold(text), folded);
        }
        assert_eq!(super::words("Zoë O'Brien-Łuk, Straße 1"), ["zoe", "o", "brien", "łuk", "strasse", "1"]);
    }
}
