//! CSV files as a part of the document: rows become a list of mappings whose keys stand in the header and whose values stand in their
//! cells, so that mistakes are told where they are, and what a file says is hashed and expanded like everything else.

use document::{Entry, Ids, Key, Kind, Node, Problem, Problems, SourceId, Span};

use crate::names::quoted;

/// More rows than this are a mistake.
const ROWS_MAX: usize = 100_000;

/// What a table may hold.
#[derive(Debug)]
pub(crate) struct Form {
    /// The key in whose place it stands.
    pub(crate) key: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// Those without which no row says anything.
    pub(crate) needed: &'static [&'static str],
    /// What a table without rows is, and what to do.
    pub(crate) none: (&'static str, &'static str),
    /// What to do about too many rows.
    pub(crate) thinner: &'static str,
}

/// A cell without the blanks around it.
type Cell<'t> = (&'t str, Span);

/// Reads a table. Lines that are empty or begin with `#` do not count; cells have no quotes, since no quantity has a comma. Mistakes of
/// the header are told once, there, and its columns left out. The list's span begins behind the header: what is told before its first
/// row is about rows.
pub(crate) fn read(
    form: &Form,
    text: &str,
    source: SourceId,
    at: Span,
    ids: &mut Ids,
    problems: &mut Problems,
) -> Option<Node> {
    let mut lines = lines(text, source);
    let Some(header) = lines.next() else {
        let problem = Problem::new("type", at, "the file holds no table").label("empty");
        problems.push(
            problem.help(format!(
                "Begin it with a line of column names, `{}`",
                form.columns.join(",")
            )),
        );
        return None;
    };
    let names = form.names(&header, problems)?;
    let mut span = Span { start: whole(&header).end, end: text.len() as u32, source };
    let before = problems.len();
    let mut rows = vec![];
    for row in lines {
        if row.len() != header.len() {
            let message =
                format!("a row of {} cells under a header of {}", row.len(), header.len());
            let problem =
                Problem::new("syntax", whole(&row), message).label("not as long as the header");
            problems.push(
                problem
                    .note(whole(&header), "the header")
                    .help("Leave a cell empty for what the row does not say"),
            );
            continue;
        }
        if rows.len() == ROWS_MAX {
            let problem = Problem::new("range", whole(&row), format!("more than {ROWS_MAX} rows"))
                .label("one row too many");
            problems.push(problem.help(form.thinner));
            break;
        }
        rows.push(mapping(&names, &row, ids));
    }
    if rows.is_empty() && problems.len() == before {
        span = whole(&header);
        problems.push(form.no_rows(span));
    }
    Some(Node { id: ids.fresh(), span, origin: None, kind: Kind::List(rows) })
}

impl Form {
    pub(crate) fn no_rows(&self, at: Span) -> Problem {
        let (message, help) = self.none;
        Problem::new("range", at, message).label("no rows").help(help)
    }

    /// The columns of a header; None in the place of one that is left out. None at all: no row can be read.
    fn names<'t>(
        &self,
        header: &[Cell<'t>],
        problems: &mut Problems,
    ) -> Option<Vec<Option<Cell<'t>>>> {
        let unknown = |(name, at): &Cell<'_>| Problem {
            code: "key",
            ..Problem::unknown("column", name, *at, self.columns)
        };
        if header
            .iter()
            .all(|cell| !self.columns.contains(&cell.0) && unknown(cell).meant().is_empty())
        {
            let problem = Problem::new("type", whole(header), "the first line names no column")
                .label("no header");
            problems.push(problem.help(format!(
                "Begin the file with a line of column names, `{}`",
                self.columns.join(",")
            )));
            return None;
        }
        let (mut names, mut meant): (Vec<Option<Cell<'t>>>, Vec<String>) = (vec![], vec![]);
        for cell @ (name, at) in header {
            let twin = names.iter().flatten().find(|(other, _)| other == name);
            let problem = match twin {
                Some((_, first)) => {
                    let problem =
                        Problem::new("duplicate", *at, format!("two columns are called `{name}`"))
                            .label("again here");
                    Some(problem.note(*first, "first here").help("Keep one of them"))
                }
                None if name.is_empty() => {
                    let problem =
                        Problem::new("key", *at, "a column without a name").label("no name");
                    Some(problem.help("Name it, or take it out of every row; a comma at the end begins a column too"))
                }
                None if !self.columns.contains(name) => {
                    Some(unknown(cell).help(format!("Columns here are {}", quoted(self.columns))))
                }
                None => None,
            };
            names.push(problem.is_none().then_some(*cell));
            meant.extend(problem.iter().flat_map(Problem::meant).map(str::to_owned));
            problems.extend(problem);
        }
        let has = |column: &str| names.iter().flatten().any(|(name, _)| *name == column);
        let missing: Vec<&str> =
            self.needed.iter().copied().filter(|column| !has(column)).collect();
        for column in missing.iter().filter(|column| !meant.iter().any(|name| name == *column)) {
            let problem =
                Problem::new("missing", whole(header), format!("the column `{column}` is missing"))
                    .label("not among these");
            problems.push(problem.help(format!("Columns here are {}", quoted(self.columns))));
        }
        missing.is_empty().then_some(names)
    }
}

fn lines(text: &str, source: SourceId) -> impl Iterator<Item = Vec<Cell<'_>>> {
    let plain = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut start = text.len() - plain.len();
    let lines = plain.split_inclusive('\n').map(move |line| {
        let here = start;
        start += line.len();
        (here, line)
    });
    let counts =
        |(_, line): &(usize, &str)| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    lines.filter(counts).map(move |(start, line)| cells(line, start, source))
}

fn cells(line: &str, start: usize, source: SourceId) -> Vec<Cell<'_>> {
    let mut at = start;
    let cell = |raw| {
        let (begin, text): (usize, &str) = (at, raw);
        at += text.len() + 1;
        let inner = text.trim();
        let start = begin + (text.len() - text.trim_start().len());
        (inner, Span { source, start: start as u32, end: (start + inner.len()) as u32 })
    };
    line.trim_end().split(',').map(cell).collect()
}

fn whole(row: &[Cell<'_>]) -> Span {
    let (first, last) = (row[0].1, row[row.len() - 1].1);
    Span { end: last.end, ..first }
}

/// An empty cell says nothing.
fn mapping(names: &[Option<Cell<'_>>], row: &[Cell<'_>], ids: &mut Ids) -> Node {
    let said = names
        .iter()
        .zip(row)
        .filter_map(|(name, cell)| Some((name.as_ref()?, cell)))
        .filter(|(_, (text, _))| !text.is_empty());
    let entry = |((name, of), (text, span)): (&Cell<'_>, &Cell<'_>)| {
        let key = Key { id: ids.fresh(), span: *of, text: (*name).to_owned(), quoted: false };
        let kind = Kind::Scalar { text: plain(text).to_owned(), quoted: false };
        Entry { key, value: Node { id: ids.fresh(), span: *span, origin: None, kind } }
    };
    let entries = said.map(entry).collect();
    Node { id: ids.fresh(), span: whole(row), origin: None, kind: Kind::Map(entries) }
}

/// A table knows no other meaning of `yes` and `no`, unlike a line of YAML.
fn plain(text: &str) -> &str {
    match text {
        "yes" => "true",
        "no" => "false",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::TABLES;

    /// What is told of a trace, each with where its place begins, and how many rows are read.
    fn read_trace(text: &str) -> (Vec<(u32, String)>, usize) {
        let mut problems = vec![];
        let node = read(
            &TABLES[0],
            text,
            SourceId(0),
            Span::default(),
            &mut Ids::default(),
            &mut problems,
        );
        assert!(problems.iter().all(|problem| problem.help.is_some()), "{problems:?}");
        let told =
            problems.iter().map(|problem| (problem.span.start, problem.message.clone())).collect();
        (told, node.map_or(0, |node| node.items().len()))
    }

    #[test]
    fn mistakes_of_a_header_are_told_once_however_many_rows_follow() {
        let told = |header: &str, row: &str, rows: usize| {
            let (told, read) = read_trace(&format!("{header}\n{}", row.repeat(100)));
            assert_eq!(read, rows, "{header}");
            told.into_iter().map(|(at, message)| format!("{at} {message}")).collect::<Vec<_>>()
        };
        assert_eq!(told("at,delay", "0s,1ms\n", 100), Vec::<String>::new());
        assert_eq!(
            told("at,dealy,lossy", "0s,1ms,1%\n", 100),
            ["3 unknown column `dealy`", "9 unknown column `lossy`"]
        );
        assert_eq!(
            told("at,delay,delay,", "0s,1ms,2ms,\n", 100),
            ["9 two columns are called `delay`", "15 a column without a name"]
        );
        assert_eq!(told("att,delay", "0s,1ms\n", 0), ["0 unknown column `att`"]);
        assert_eq!(told("delay,loss", "1ms,1%\n", 0), ["0 the column `at` is missing"]);
        assert_eq!(told("0s,1ms", "5s,2ms\n", 0), ["0 the first line names no column"]);
        assert_eq!(told("at;delay", "0s;2ms\n", 0), ["0 the first line names no column"]);
        assert_eq!(told("", "\n", 0), ["0 the file holds no table"]);
        assert_eq!(told("at,delay", "\n", 0), ["0 a trace without a row"]);
        assert_eq!(
            told("at,delay", "1s\n", 0).len(),
            100,
            "a short row is a mistake of its own, and says why there is none"
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_column() {
        assert_eq!(read_trace("\u{feff}at,delay\n0s,1ms\n"), (vec![], 1));
        assert_eq!(
            read_trace("\u{feff}at,dealy\n0s,1ms\n"),
            (vec![(6, "unknown column `dealy`".into())], 1)
        );
    }

    #[test]
    fn too_many_rows_are_told_once() {
        let text = |rows: usize| format!("at\n{}", "0s\n".repeat(rows));
        assert_eq!(read_trace(&text(ROWS_MAX)), (vec![], ROWS_MAX));
        let (told, rows) = read_trace(&text(ROWS_MAX + 7));
        assert_eq!((told.len(), told[0].1.as_str(), rows), (1, "more than 100000 rows", ROWS_MAX));
    }
}
