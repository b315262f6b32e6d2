//! What texts, codes, attributes and keys must be like, whoever writes them.

use crate::{
    Error, Problem,
    change::CodeRules,
    limits::{ATTRIBUTE_CHARS, ATTRIBUTE_VALUES, CODE_CHARS, DESCRIPTION_CHARS, IDEMPOTENCY_KEY_CHARS, KEY_CHARS, TEXT_CHARS},
    model::{Attribute, Attributes, CodeRule, UserText},
    text::is_unseen,
};

/// A single-line text: trimmed, not empty, without control and other unseen characters, at most `most` characters.
pub(super) fn line(text: &str, most: usize) -> Result<String, Error> {
    let text = text.trim();
    let chars = text.chars().count();
    if text.is_empty() {
        return Err(Error::Invalid("the text is empty; write at least one character, or send null for none".to_owned()));
    }
    if chars > most {
        return Err(Error::Invalid(format!("the text has {chars} characters, and may have {most}; shorten it")));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::Invalid("the text has a control character; remove it".to_owned()));
    }
    if let Some(unseen) = text.chars().find(|c| is_unseen(*c)) {
        let code = u32::from(unseen);
        return Err(Error::Invalid(format!("the text has the character U+{code:04X}, which nobody sees; remove it")));
    }
    Ok(text.to_owned())
}

/// A name.
pub(super) fn name(text: &str) -> Result<String, Error> {
    line(text, TEXT_CHARS)
}

/// A text for people, of any number of lines, each ended by one line feed.
pub(super) fn description(text: &str) -> Result<String, Error> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim();
    let chars = text.chars().count();
    if text.is_empty() {
        return Err(Error::Invalid("the text is empty; send null for none".to_owned()));
    }
    if chars > DESCRIPTION_CHARS {
        return Err(Error::Invalid(format!("the text has {chars} characters, and may have {DESCRIPTION_CHARS}; shorten it")));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(Error::Invalid("the text has a control character other than a line break; remove it".to_owned()));
    }
    Ok(text.to_owned())
}

/// A stable key: letters, digits, `-`, `_` and `.`, beginning with a letter or digit.
pub(super) fn stable_key(text: &str) -> Result<String, Error> {
    let text = line(text, KEY_CHARS)?;
    let first = text.chars().next().is_some_and(char::is_alphanumeric);
    if first && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return Ok(text);
    }
    Err(Error::Invalid(format!("key `{text}` is none: use letters, digits, `-`, `_` and `.`, and begin with a letter or digit")))
}

/// An idempotency key.
pub(super) fn key(text: &str) -> Result<(), Error> {
    let good = (1..=IDEMPOTENCY_KEY_CHARS).contains(&text.chars().count()) && text.chars().all(|c| c.is_ascii_graphic());
    if good {
        return Ok(());
    }
    Err(Error::Invalid(format!("an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS} visible ASCII characters; a UUID is a good one")))
}

/// One of a user's texts.
pub(super) fn user_text(which: UserText, text: &str, rules: CodeRules) -> Result<String, Error> {
    let text = line(text, TEXT_CHARS)?;
    match which {
        UserText::Email => {
            email_address::EmailAddress::parse_with_options(&text, EMAIL)
                .map_err(|error| Error::Invalid(format!("`{text}` is no e-mail address ({error}); write for example ada@acme.example")))?;
        }
        UserText::AvatarUrl if !["https://", "http://"].iter().any(|scheme| text.starts_with(scheme)) => {
            return Err(Error::Invalid(format!("`{text}` is no address of a picture; begin with `https://`")));
        }
        UserText::Code => code(&text, rules)?,
        _ => {}
    }
    Ok(text)
}

/// Addresses only: no names beside them, no literals.
const EMAIL: email_address::Options = email_address::Options {
    minimum_sub_domains: 2,
    allow_domain_literal: false,
    allow_display_text: false,
    allow_long_local_parts: false,
};

/// A user code, by the workspace's rules (D6).
fn code(text: &str, rules: CodeRules) -> Result<(), Error> {
    let chars = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let CodeRules { min_length, max_length, rule } = rules;
    if chars < min_length || chars > max_length {
        return Err(Error::Invalid(format!("the code has {chars} characters, and must have {min_length} to {max_length}")));
    }
    let plain = text.chars().all(char::is_alphanumeric);
    match rule {
        CodeRule::LettersAndDigits if !plain => {
            Err(Error::Invalid("the code may have letters and digits only; remove the others".to_owned()))
        }
        CodeRule::Special if plain => {
            Err(Error::Invalid("the code must have a character that is neither letter nor digit; add one".to_owned()))
        }
        _ => Ok(()),
    }
}

/// A bound on the length of codes.
pub(super) fn code_length(chars: i32) -> Result<u32, Error> {
    let length = u32::try_from(chars).ok().filter(|length| (1..=CODE_CHARS).contains(length));
    length.ok_or_else(|| Error::Invalid(format!("codes have 1 to {CODE_CHARS} characters, and not {chars}; choose a length between these")))
}

/// Whether any code meets the rules.
pub(super) fn code_rules_hold(rules: CodeRules) -> Result<(), Error> {
    let CodeRules { min_length, max_length, .. } = rules;
    if min_length > max_length {
        return Err(Error::Invalid(format!("the least length {min_length} is greater than the greatest {max_length}; exchange them")));
    }
    Ok(())
}

/// What a caller sets of custom attributes: values by name, none to unassign.
pub(super) type AttributesSet = Vec<(String, Vec<String>)>;

/// Lays `set` over the attributes that are there, by their declarations.
pub(super) fn attributes(
    old: &Attributes,
    set: &AttributesSet,
    declared: &[Attribute],
    at: &str,
    problems: &mut Vec<Problem>,
) -> Attributes {
    let mut new = old.clone();
    for (position, (name, values)) in set.iter().enumerate() {
        let mut refuse = |message: String| problems.push(Problem::at(&format!("{at}.{position}"), Error::Invalid(message)));
        let Some(attribute) = declared.iter().find(|attribute| attribute.name == *name) else {
            refuse(format!("attribute `{name}` is not declared; declare it first, or correct the name"));
            continue;
        };
        if set.iter().take(position).any(|(before, _)| before == name) {
            refuse(format!("attribute `{name}` is set twice; set it once, with all its values"));
            continue;
        }
        if values.len() > ATTRIBUTE_VALUES || (!attribute.multivalued && values.len() > 1) {
            let most = if attribute.multivalued { ATTRIBUTE_VALUES } else { 1 };
            refuse(format!("attribute `{name}` has {} values, and may have {most}; leave some out", values.len()));
            continue;
        }
        let mut checked: Vec<String> = Vec::with_capacity(values.len());
        for value in values {
            match line(value, ATTRIBUTE_CHARS) {
                Ok(value) => match attribute.type_.refuses(&value) {
                    None if checked.contains(&value) => {}
                    None => checked.push(value),
                    Some(why) => refuse(format!("value `{value}` of attribute `{name}` {why}")),
                },
                Err(error) => refuse(format!("a value of attribute `{name}`: {error}")),
            }
        }
        new.retain(|(old, _)| old != name);
        if !checked.is_empty() {
            new.push((name.clone(), checked));
        }
    }
    new.sort();
    new
}

/// Required attributes must be there.
pub(super) fn required(attributes: &Attributes, declared: &[Attribute], at: &str, problems: &mut Vec<Problem>) {
    for attribute in declared.iter().filter(|attribute| attribute.required) {
        if !attributes.iter().any(|(name, _)| *name == attribute.name) {
            let message = format!("attribute `{}` is required; give it a value", attribute.name);
            problems.push(Problem::at(at, Error::Invalid(message)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: CodeRules = CodeRules { min_length: 1, max_length: 64, rule: CodeRule::Any };

    #[test]
    fn addresses_are_checked() {
        for good in ["ada@acme.example", "a.b+c@x.example", "ünï@acme.example"] {
            assert!(user_text(UserText::Email, good, ANY).is_ok(), "{good}");
        }
        for bad in ["ada", "ada@", "@acme.example", "a b@acme.example", "Ada <ada@acme.example>", "ada@acme", "ada@[127.0.0.1]"] {
            assert!(user_text(UserText::Email, bad, ANY).is_err(), "{bad}");
        }
        assert!(user_text(UserText::AvatarUrl, "javascript:alert(1)", ANY).is_err());
    }

    #[test]
    fn names_have_nothing_unseen_and_descriptions_end_their_lines_alike() {
        for bad in ["a\u{202e}b", "a\u{200b}b", "a\u{2066}b", "\u{feff}a", "a\u{3164}", "\u{e0061}a", "a\u{2028}b", "a\tb", " "] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        for good in ["Ада", "نام\u{200c}ها", "\u{5d0}\u{200f}1", "👩\u{200d}🚀"] {
            assert_eq!(name(good).unwrap(), good);
        }
        assert_eq!(description(" one\r\ntwo\n").unwrap(), "one\ntwo");
        assert_eq!(description("one\rtwo").unwrap(), "one\ntwo");
        assert!(description("one\u{7}two").is_err());
    }

    #[test]
    fn codes_meet_the_rules() {
        let rules = |rule| CodeRules { min_length: 3, max_length: 4, rule };
        for (code, rule, good) in [
            ("12", CodeRule::Any, false),
            ("1-34", CodeRule::Any, true),
            ("12345", CodeRule::Any, false),
            ("1234", CodeRule::LettersAndDigits, true),
            ("1-34", CodeRule::LettersAndDigits, false),
            ("1-34", CodeRule::Special, true),
            ("1234", CodeRule::Special, false),
        ] {
            assert_eq!(user_text(UserText::Code, code, rules(rule)).is_ok(), good, "{code} {rule:?}");
        }
        assert!(code_rules_hold(rules(CodeRule::Any)).is_ok());
        assert!(code_rules_hold(CodeRules { min_length: 5, ..rules(CodeRule::Any) }).is_err());
        assert_eq!([-1, 0, 1, 64, 65, i32::MAX].map(|chars| code_length(chars).ok()), [None, None, Some(1), Some(64), None, None]);
    }
}
