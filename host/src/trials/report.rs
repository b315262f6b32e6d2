//! Reports as JSON, the same for whoever asks.

use directory::trials::{Difference, Mistake, Outcome, Report};
use serde_json::{Value, json};

/// A report.
#[must_use]
pub fn report(report: &Report) -> Value {
    json!({
        "passed": report.passed,
        "failed": report.failed,
        "failures": report.differences.iter().map(difference).collect::<Vec<_>>(),
        "unfinished": report.unfinished,
    })
}

/// What is wrong with a text.
#[must_use]
pub fn mistakes(mistakes: &[Mistake]) -> Value {
    let mistake = |mistake: &Mistake| json!({ "place": mistake.place, "problem": mistake.problem });
    json!({ "mistakes": mistakes.iter().map(mistake).collect::<Vec<_>>() })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "place": difference.place,
        "subject": difference.subject,
        "action": difference.action,
        "resource": difference.resource,
        "expected": outcome(&difference.expected, difference.expected_reason.as_deref()),
        "found": outcome(&difference.found, Some(&difference.found_reason)),
    })
}

/// `verdict` is `allow`, `deny`, `shows` or `none`; what does not apply is null.
fn outcome(outcome: &Outcome, reason: Option<&str>) -> Value {
    let (verdict, hides, shows, failure) = match outcome {
        Outcome::Denied => ("deny", None, None, None),
        Outcome::Allowed { hidden } => ("allow", hidden.as_ref(), None, None),
        Outcome::Shows(names) => ("shows", None, Some(names), None),
        Outcome::NoAnswer(why) => ("none", None, None, Some(why)),
    };
    json!({ "verdict": verdict, "hides": hides, "shows": shows, "failure": failure, "reason": reason.filter(|reason| !reason.is_empty()) })
}
