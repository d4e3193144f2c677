//! CSV files as a part of the document: rows become a list of mappings whose keys stand in the header and whose values stand in their
//! cells, so that mistakes are told where they are, and what a file says is hashed and expanded like everything else.

use seams::document::{Entry, Ids, Key, Kind, Node, Problem, Problems, SourceId, Span};

/// More rows than this are a mistake.
const ROWS_MAX: usize = 100_000;

/// A cell without the blanks around it.
type Cell<'t> = (&'t str, Span);

/// Reads a table. Lines that are empty or begin with `#` do not count; cells have no quotes, since no quantity has a comma.
pub(crate) fn read(text: &str, source: SourceId, at: Span, ids: &mut Ids, problems: &mut Problems) -> Option<Node> {
    let mut lines = lines(text, source);
    let Some(header) = lines.next() else {
        problems.push(Problem::new("type", at, "the file holds no table").label("empty").help("Begin it with a line of column names"));
        return None;
    };
    let mut rows = vec![];
    for row in lines {
        if row.len() != header.len() {
            let message = format!("a row of {} cells under a header of {}", row.len(), header.len());
            let problem = Problem::new("syntax", whole(&row), message).label("not as long as the header");
            problems.push(problem.note(whole(&header), "the header").help("Leave a cell empty for what the row does not say"));
            continue;
        }
        rows.push(mapping(&header, &row, ids));
        if rows.len() > ROWS_MAX {
            problems.push(Problem::new("range", whole(&row), format!("more than {ROWS_MAX} rows")).label("one row too many"));
            break;
        }
    }
    Some(Node { id: ids.fresh(), span: at, origin: None, kind: Kind::List(rows) })
}

fn lines(text: &str, source: SourceId) -> impl Iterator<Item = Vec<Cell<'_>>> {
    let mut start = 0;
    let lines = text.split_inclusive('\n').map(move |line| {
        let here = start;
        start += line.len();
        (here, line)
    });
    let counts = |(_, line): &(usize, &str)| !line.trim().is_empty() && !line.trim_start().starts_with('#');
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
    line.split(',').map(cell).collect()
}

fn whole(row: &[Cell<'_>]) -> Span {
    let (first, last) = (row[0].1, row[row.len() - 1].1);
    Span { end: last.end, ..first }
}

/// An empty cell says nothing.
fn mapping(header: &[Cell<'_>], row: &[Cell<'_>], ids: &mut Ids) -> Node {
    let said = header.iter().zip(row).filter(|(_, (text, _))| !text.is_empty());
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
