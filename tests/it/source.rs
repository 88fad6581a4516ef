//! The project's own files and their code, for the tests that read them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A piece of Rust code. Comments and white space are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// An identifier, keyword or number.
    Word(String),
    /// The inside of a string literal, as written.
    Text(String),
    /// `::`
    PathSeparator,
    /// Any other character.
    Sign(char),
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file of the repository; a file that is not UTF-8 is no text and reads as empty.
pub(crate) fn read(file: &str) -> String {
    let path = root().join(file);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8(bytes).unwrap_or_default()
}

/// The files of the repository, as paths with `/` from its root: those git tracks or would track,
/// or, in a copy without git, all but the build output.
pub(crate) fn files() -> Vec<String> {
    let mut files = git_files().unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(&root(), "", &mut found);
        found
    });
    files.sort();
    files.dedup();
    assert!(files.iter().any(|file| file == "src/lib.rs"), "found {} files", files.len());
    files
}

/// The Rust files below a folder.
pub(crate) fn rust_files(folder: &str) -> Vec<String> {
    let below = |file: &String| file.starts_with(folder) && file.ends_with(".rs");
    files().into_iter().filter(below).collect()
}

/// Asks git; `None` when there is no git or this is not the root of a work tree.
fn git_files() -> Option<Vec<String>> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(root()).args(arguments).output().ok()?;
        output.status.success().then_some(())?;
        String::from_utf8(output.stdout).ok()
    };
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top.trim()).ok()? != fs::canonicalize(root()).ok()? {
        return None;
    }
    let listed = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    let there = |file: &&str| !file.is_empty() && root().join(file).is_file();
    Some(listed.split('\0').filter(there).map(str::to_owned).collect())
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let entry = entry.expect("a folder of the repository");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("a file of the repository");
        if kind.is_dir() && name != "target" && name != ".git" {
            walk(&entry.path(), &format!("{prefix}{name}/"), found);
        } else if kind.is_file() {
            found.push(format!("{prefix}{name}"));
        }
    }
}

/// Splits Rust source into tokens.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut scanner = Scanner { rest: source, tokens: Vec::new() };
    while scanner.next() {}
    scanner.tokens
}

struct Scanner<'a> {
    rest: &'a str,
    tokens: Vec<Token>,
}

impl Scanner<'_> {
    /// Takes one token, comment or white space off the rest; returns whether there was any.
    fn next(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip_block_comment();
        } else if first == '"' {
            self.string();
        } else if let Some(hashes) = raw_string_hashes(self.rest) {
            self.raw_string(hashes);
        } else if first == '\'' {
            self.skip(char_literal_len(self.rest));
        } else if is_word(first) {
            let len = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
            self.tokens.push(Token::Word(self.rest[..len].to_owned()));
            self.skip(len);
        } else if self.rest.starts_with("::") {
            self.tokens.push(Token::PathSeparator);
            self.skip(2);
        } else {
            if !first.is_whitespace() {
                self.tokens.push(Token::Sign(first));
            }
            self.skip(first.len_utf8());
        }
        true
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.skip(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.skip(2);
            } else {
                self.skip(self.rest.chars().next().map_or(0, char::len_utf8));
            }
            if depth == 0 || self.rest.is_empty() {
                return;
            }
        }
    }

    fn string(&mut self) {
        let mut escaped = false;
        let end = self.rest[1..].find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = end.map_or(self.rest.len(), |end| end + 1);
        self.tokens.push(Token::Text(self.rest[1..end].to_owned()));
        self.skip((end + 1).min(self.rest.len()));
    }

    fn raw_string(&mut self, hashes: usize) {
        let start = self.rest.find('"').expect("a raw string has a quote") + 1;
        let close = format!("\"{}", "#".repeat(hashes));
        let end = self.rest[start..].find(&close).map_or(self.rest.len(), |end| start + end);
        self.tokens.push(Token::Text(self.rest[start..end].to_owned()));
        self.skip((end + close.len()).min(self.rest.len()));
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns how many `#` a raw string at the start has; `None` when there is no raw string.
fn raw_string_hashes(rest: &str) -> Option<usize> {
    let after = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let quoted = after.trim_start_matches('#');
    quoted.starts_with('"').then(|| after.len() - quoted.len())
}

/// Returns the bytes of a character literal at the start, or 1 for the quote of a lifetime.
fn char_literal_len(rest: &str) -> usize {
    let inside = &rest[1..];
    if let Some(escape) = inside.strip_prefix('\\') {
        // The escaped character itself may be a quote.
        let skipped = escape.chars().next().map_or(0, char::len_utf8);
        return escape[skipped..].find('\'').map_or(rest.len(), |end| 2 + skipped + end + 1);
    }
    let first = inside.chars().next().map_or(0, char::len_utf8);
    if inside[first..].starts_with('\'') { first + 2 } else { 1 }
}

/// Returns the tokens without the items that only tests compile.
pub(crate) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let marker = self::tokens("#[cfg(test)]");
    let (mut kept, mut rest) = (Vec::new(), tokens);
    while let Some(first) = rest.first() {
        if rest.starts_with(&marker) {
            rest = &rest[marker.len()..];
            rest = &rest[item_len(rest)..];
        } else {
            kept.push(first.clone());
            rest = &rest[1..];
        }
    }
    kept
}

/// Returns the number of tokens of the item at the start: up to its `;` or its closing brace.
fn item_len(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']') => depth -= 1,
            Token::Sign('}') => {
                depth -= 1;
                if depth == 0 {
                    return index + 1;
                }
            }
            Token::Sign(';') if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Returns every path in the code with its segments, groups written out: `a::{b, c::d}` gives
/// `a::b` and `a::c::d`. A single name is a path only after `use`.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Vec<String>> {
    let import = Token::Word("use".into());
    let (mut found, mut index) = (Vec::new(), 0);
    while index < tokens.len() {
        let imported = tokens[index] == import;
        // `use` starts no path itself, not even before `::`.
        index += usize::from(imported);
        index += usize::from(imported && tokens.get(index) == Some(&Token::PathSeparator));
        if !matches!(tokens.get(index), Some(Token::Word(_))) {
            index += usize::from(!imported);
            continue;
        }
        let mut of_tree = Vec::new();
        index = path_tree(tokens, index, Vec::new(), &mut of_tree);
        found.extend(of_tree.into_iter().filter(|path| imported || path.len() > 1));
    }
    found
}

/// Reads one path at `index`, which may end in a group; returns the index after it.
fn path_tree(
    tokens: &[Token],
    mut index: usize,
    mut path: Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    loop {
        match tokens.get(index) {
            Some(Token::Word(word)) => path.push(word.clone()),
            Some(Token::Sign('*')) => path.push("*".into()),
            Some(Token::Sign('{')) => return path_group(tokens, index + 1, &path, found),
            // Generic arguments after `::`: the path ends here for our purposes.
            _ => break,
        }
        index += 1;
        if tokens.get(index) != Some(&Token::PathSeparator) {
            break;
        }
        index += 1;
    }
    found.push(path);
    index
}

/// Reads the members of a group up to its closing brace; returns the index after it.
fn path_group(
    tokens: &[Token],
    mut index: usize,
    prefix: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    loop {
        match tokens.get(index) {
            None => return index,
            Some(Token::Sign('}')) => return index + 1,
            Some(Token::Word(word)) if word == "as" => index += 2,
            Some(Token::Word(_) | Token::Sign('*')) => {
                index = path_tree(tokens, index, prefix.to_vec(), found);
            }
            Some(_) => index += 1,
        }
    }
}

#[test]
fn code_is_read_without_comments_strings_and_characters() {
    let source = r##"
        // crate::one
        /* crate::two /* nested */ crate::three */
        let url = "https://example.com\" crate::four"; let quote = '"'; let escaped = '\'';
        fn f<'a>(x: &'a str) { r#"crate::five "quoted""#; crate::six::g(b'\\') }
    "##;
    assert_eq!(paths(&tokens(source)), [["crate", "six", "g"]]);
}

#[test]
fn groups_of_paths_are_written_out() {
    let source = "use crate::{a::{b, c::*}, d::{self, E as F}, g}; use tokio; x::<y::Z>::new();";
    // Of `x::<…>` one name is left, which is no path.
    let expected: [&[&str]; 7] = [
        &["crate", "a", "b"],
        &["crate", "a", "c", "*"],
        &["crate", "d", "self"],
        &["crate", "d", "E"],
        &["crate", "g"],
        &["tokio"],
        &["y", "Z"],
    ];
    assert_eq!(paths(&tokens(source)), expected);
}

#[test]
fn items_only_tests_compile_are_left_out() {
    let source = "
        use a::b;
        #[cfg(test)]
        mod tests;
        #[cfg(test)]
        mod more { fn f(x: [u8; 3]) { c::d(); } }
        fn g() { e::f(); }
    ";
    assert_eq!(paths(&without_tests(&tokens(source))), [["a", "b"], ["e", "f"]]);
}

#[test]
fn a_copy_without_git_has_at_least_the_files_git_has() {
    let mut walked = Vec::new();
    walk(&root(), "", &mut walked);
    let missing: Vec<_> =
        git_files().unwrap_or_default().into_iter().filter(|file| !walked.contains(file)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
