//! Which of the two media types an answer has (GraphQL over HTTP, draft of 2025, section 4).

use poem::http::{HeaderMap, header::ACCEPT};

use super::super::{Failure, code::Code};

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: older clients, for whom whatever the document brings about is 200.
    Json,
    /// `application/graphql-response+json`: the status says whether the document was executed.
    GraphqlResponse,
}

impl Media {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    /// The type that the caller likes best; of two that it likes the same, the one it names first.
    pub(super) fn negotiate(headers: &HeaderMap) -> Result<Self, Failure> {
        let accepted: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let accepted = accepted.join(",");
        if accepted.trim().is_empty() {
            return Ok(Self::Json);
        }
        let mut best = None;
        for (range, quality) in accepted.split(',').map(range) {
            let media = match range.as_str() {
                "application/graphql-response+json" => Self::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            if quality > best.map_or(0, |(_, quality)| quality) {
                best = Some((media, quality));
            }
        }
        best.map(|(media, _)| media).ok_or_else(|| {
            Failure::new(Code::NOT_ACCEPTABLE, "answers are `application/graphql-response+json` or `application/json`; accept one of them")
        })
    }
}

/// A media range and its quality in thousandths (RFC 9110 section 12.5.1).
fn range(text: &str) -> (String, u16) {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let quality = quality.map_or(Some(1.0), |quality| quality.parse::<f32>().ok()).filter(|quality| (0.0..=1.0).contains(quality));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    let thousandths = (quality.unwrap_or_default() * 1_000.0) as u16;
    (range, thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(accept: &str, expected: Option<Media>) {
        let headers = [(ACCEPT, accept.parse().unwrap())].into_iter().collect();
        assert_eq!(Media::negotiate(&headers).ok(), expected, "{accept}");
    }

    #[test]
    fn the_best_liked_type_wins() {
        assert_eq!(Media::negotiate(&HeaderMap::new()), Ok(Media::Json));
        check("*/*", Some(Media::Json));
        check("application/json", Some(Media::Json));
        check("application/graphql-response+json", Some(Media::GraphqlResponse));
        check("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8", Some(Media::GraphqlResponse));
        check("application/json, application/graphql-response+json", Some(Media::Json));
        check("application/json;q=0.9, Application/GraphQL-Response+JSON", Some(Media::GraphqlResponse));
        check("text/html,application/xhtml+xml,*/*;q=0.8", Some(Media::Json));
        check("text/html", None);
        check("application/json;q=0", None);
        check("application/json;q=2", None);
    }
}
