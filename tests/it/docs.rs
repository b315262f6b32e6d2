//! The pages say what is so: links lead somewhere, and documents of examples are documents of the schema.

use std::{
    fs,
    path::{Path, PathBuf},
};

use async_graphql::Variables;
use bailiwick::graphql::{limits, schema};

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let known = target.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).iter().any(|known| known == anchor));
            if !known {
                broken.push(format!("{}: {link}", page.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[tokio::test]
async fn every_example_is_valid_and_costs_what_it_says() {
    let mut examples = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for document in blocks(&text, "graphql") {
            let admitted = limits::admit(document, None, &some_values(document)).unwrap_or_else(|refusal| panic!("{refusal}\n{document}"));
            if let Some((_, claim)) = document.split_once("Costs ") {
                let claim: String = claim.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(char::is_ascii_digit).collect();
                assert_eq!(admitted.cost.to_string(), claim, "{document}");
            }
            // Without a caller nothing is there, but validation comes first.
            let refused = schema().execute(document).await.errors.into_iter().find(|error| error.path.is_empty());
            let variables = refused.filter(|error| !error.message.contains("is not nullable") && !error.message.contains("Variable"));
            assert_eq!(variables.map(|error| error.message), None, "{document}");
            examples += 1;
        }
    }
    assert!(examples > 5, "only {examples} examples were found");
}

/// A value for every variable that a document declares.
fn some_values(document: &str) -> Variables {
    let declared = document.split('$').skip(1).filter_map(|rest| rest.split_once(':')).map(|(name, _)| name.trim());
    let values = declared.filter(|name| name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_'));
    Variables::from_json(values.map(|name| (name.to_owned(), "x".into())).collect::<serde_json::Map<_, _>>().into())
}

/// The pages of the repository, those of packages from elsewhere excepted.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules", "generated"].contains(&name) {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 10);
    pages
}

/// The targets of inline links that are no addresses, code left out.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let prose = text.split("```").step_by(2);
    for part in prose.flat_map(|prose| prose.split("](").skip(1)) {
        if let Some((link, _)) = part.split_once(')')
            && !link.contains("://")
        {
            links.push(link);
        }
    }
    links
}

/// The anchors of a page's headings, as the usual renderers make them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()).collect()
}

/// The fenced blocks of one language.
pub(crate) fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fenced = text.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
