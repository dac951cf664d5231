//! How deeply a script nests, found without recursion and before anything recursive sees it.
//!
//! The parser, and all that walks its tree, descends once for each bracket, and once more for each link of a chain: `!!!!x`,
//! `a=>b=>c`, `a?b:c?d:e`, `else if`. A stack that overflows takes the process with it, so that what nests too deeply is not
//! parsed. What is counted here is never less than the parser's depth, as long as both agree where strings, templates, comments
//! and regular expressions end. Whether a slash divides follows from what stands before it, as the grammar has it.

/// What the scan found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// The greatest depth.
    pub(crate) depth: usize,
    /// Whether there is `<!--` or `-->`, which may begin a comment in scripts and does not in modules.
    pub(crate) html_comment: bool,
}

/// Scans a script, and what it is as a module where that is another: it is parsed as both.
pub(crate) fn nesting(source: &str) -> Nesting {
    let as_script = scanned(source, true);
    if !as_script.html_comment {
        return as_script;
    }
    Nesting { depth: as_script.depth.max(scanned(source, false).depth), html_comment: true }
}

fn scanned(source: &str, html_comments: bool) -> Nesting {
    let mut scan = Scan::new(source.as_bytes(), html_comments);
    while let Some(byte) = scan.peek(0) {
        scan.token(byte);
    }
    Nesting { depth: scan.deepest, html_comment: scan.html_comment }
}

/// What stands before a token, as far as it says what a slash or a brace means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// A statement begins here.
    Statement,
    /// An operand is expected.
    Operator,
    /// The dot of a member: what follows is a name, whatever it spells.
    Dot,
    /// An operand has ended.
    Operand,
    /// The round brackets of parameters have ended; whether they are those of a function expression.
    Parameters { expression: bool },
    /// The name or the parent of a class was said; whether the class is an expression.
    ClassHead { expression: bool },
    /// `=>`
    Arrow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    Round { head: bool, function: Option<bool> },
    Square,
    Curly { expression: bool },
    Template,
}

#[derive(Debug)]
struct Level {
    bracket: Bracket,
    /// Links of the expression so far.
    chain: usize,
    /// Links of statements without braces: `if (a) if (b) …`.
    statements: usize,
    /// Question marks that wait for their colon.
    ternaries: usize,
}

struct Scan<'s> {
    bytes: &'s [u8],
    at: usize,
    levels: Vec<Level>,
    depth: usize,
    deepest: usize,
    before: Before,
    /// A statement has ended, unless `else` follows.
    ended: bool,
    /// A line has ended behind an operand.
    newline: bool,
    /// `if`, `for`, `while` or `with`: what follows its brackets is a statement.
    head: bool,
    function: Option<bool>,
    /// Whether comments like those of HTML are comments.
    html_comments: bool,
    html_comment: bool,
    /// Nothing but space and comments stands before it on its line.
    line_start: bool,
}

impl<'s> Scan<'s> {
    fn new(bytes: &'s [u8], html_comments: bool) -> Self {
        let mut scan = Self {
            bytes,
            at: 0,
            levels: Vec::new(),
            depth: 0,
            deepest: 0,
            before: Before::Statement,
            ended: false,
            newline: false,
            head: false,
            function: None,
            html_comments,
            html_comment: false,
            line_start: true,
        };
        scan.push(Bracket::Curly { expression: false });
        scan
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &[u8]) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text))
    }

    fn token(&mut self, byte: u8) {
        let html = match byte {
            b'<' => self.starts_with(b"<!--"),
            b'-' => self.starts_with(b"-->"),
            _ => false,
        };
        self.html_comment |= html;
        match byte {
            _ if self.at_line_end() => {
                self.newline = self.before == Before::Operand;
                self.line_start = true;
                self.at += if byte < 0x80 { 1 } else { 3 };
            }
            b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
            b'/' if self.peek(1) == Some(b'/') => self.line_comment(),
            b'/' if self.peek(1) == Some(b'*') => self.block_comment(),
            b'<' if html && self.html_comments => self.line_comment(),
            b'-' if html && self.html_comments && self.line_start => self.line_comment(),
            b'#' if self.at == 0 && self.peek(1) == Some(b'!') => self.line_comment(),
            _ => {
                self.line_start = false;
                self.code(byte);
            }
        }
    }

    fn code(&mut self, byte: u8) {
        match byte {
            b'"' | b'\'' => self.string(byte),
            b'`' => {
                self.settle(false);
                self.link();
                self.at += 1;
                self.template();
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'\\' | b'#' | 0x80.. => self.word(),
            b'0'..=b'9' => self.number(),
            _ => self.punctuation(byte),
        }
    }

    /// U+2028 and U+2029 end a line too.
    fn at_line_end(&self) -> bool {
        match self.peek(0) {
            Some(b'\n' | b'\r') => true,
            Some(0xe2) => self.starts_with("\u{2028}".as_bytes()) || self.starts_with("\u{2029}".as_bytes()),
            _ => false,
        }
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some() && !self.at_line_end() {
            self.at += 1;
        }
    }

    fn block_comment(&mut self) {
        self.at += 2;
        while let Some(byte) = self.peek(0)
            && (byte != b'*' || self.peek(1) != Some(b'/'))
        {
            self.line_start |= self.at_line_end();
            self.at += 1;
        }
        self.at += 2;
    }

    fn string(&mut self, quote: u8) {
        self.settle(false);
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' if self.peek(1) == Some(b'\r') && self.peek(2) == Some(b'\n') => self.at += 3,
                b'\\' => self.at += 2,
                b'\n' | b'\r' => break,
                _ if byte == quote => {
                    self.at += 1;
                    break;
                }
                _ => self.at += 1,
            }
        }
        self.before = Before::Operand;
    }

    /// From behind the backtick, or the brace of a substitution.
    fn template(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' => self.at += 2,
                b'`' => {
                    self.at += 1;
                    break;
                }
                b'$' if self.peek(1) == Some(b'{') => {
                    self.at += 2;
                    self.push(Bracket::Template);
                    self.before = Before::Operator;
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.before = Before::Operand;
    }

    fn regex(&mut self) {
        self.at += 1;
        let mut in_class = false;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' if !matches!(self.peek(1), Some(b'\n' | b'\r')) => self.at += 1,
                b'\n' | b'\r' => break,
                b'[' => in_class = true,
                b']' => in_class = false,
                b'/' if !in_class => {
                    self.at += 1;
                    break;
                }
                _ => {}
            }
            self.at += 1;
        }
        self.before = Before::Operand;
    }

    fn number(&mut self) {
        self.settle(false);
        while self.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_') {
            self.at += 1;
        }
        self.before = Before::Operand;
    }

    fn word(&mut self) {
        let from = self.at;
        while self.peek(0).is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#' | b'\\' | 0x80..)
        }) && !self.at_line_end()
        {
            self.at += 1;
        }
        let word = self.bytes.get(from..self.at).unwrap_or_default();
        if self.before == Before::Dot {
            self.before = Before::Operand;
            return;
        }
        let goes_on = matches!(
            word,
            b"else" | b"catch" | b"finally" | b"while" | b"in" | b"instanceof" | b"of" | b"as"
        );
        let new_line = self.newline && !goes_on;
        self.ended |= new_line;
        self.settle(goes_on);
        if new_line {
            self.before = Before::Statement;
        }
        self.keyword(word);
    }

    fn keyword(&mut self, word: &[u8]) {
        let at_start = self.before == Before::Statement;
        match word {
            b"if" | b"for" | b"while" | b"with" | b"switch" | b"catch" => {
                self.head = true;
                self.statement_link();
                self.before = Before::Operator;
            }
            b"else" | b"do" | b"try" | b"finally" => {
                self.statement_link();
                self.before = Before::Statement;
            }
            b"function" => {
                self.link();
                self.function = Some(!at_start);
                self.before = Before::Parameters { expression: !at_start };
            }
            b"class" => {
                self.link();
                self.before = Before::ClassHead { expression: !at_start };
            }
            b"case" | b"default" => {
                self.reset();
                self.before = Before::Operator;
            }
            b"export" => self.before = Before::Statement,
            // Before `function` they change nothing.
            b"async" if at_start => self.before = Before::Statement,
            b"return" | b"typeof" | b"void" | b"delete" | b"throw" | b"new" | b"in" | b"of"
            | b"instanceof" | b"yield" | b"await" | b"extends" | b"async" => {
                self.link();
                if !matches!(self.before, Before::ClassHead { .. }) {
                    self.before = Before::Operator;
                }
            }
            _ => {
                // The name of a function or a class leaves what it was said of.
                if !matches!(self.before, Before::Parameters { .. } | Before::ClassHead { .. }) {
                    self.before = Before::Operand;
                }
            }
        }
    }

    fn punctuation(&mut self, byte: u8) {
        if byte == b'/' {
            self.settle(false);
            return self.slash();
        }
        if byte == b'}' && self.levels.last().is_some_and(|level| level.bracket == Bracket::Template) {
            self.pop();
            self.at += 1;
            return self.template();
        }
        if byte != b'}' {
            self.settle(false);
        }
        self.at += 1;
        match byte {
            b'(' => {
                self.link();
                let (head, function) = (std::mem::take(&mut self.head), self.function.take());
                self.push(Bracket::Round { head, function });
                self.before = Before::Operator;
            }
            b'[' => {
                self.link();
                self.push(Bracket::Square);
                self.before = Before::Operator;
            }
            b'{' => self.open_curly(),
            b')' | b']' | b'}' => self.close(byte),
            b';' => {
                self.ended = true;
                self.before = Before::Statement;
            }
            b',' => {
                if let Some(level) = self.levels.last_mut() {
                    self.depth -= std::mem::take(&mut level.chain);
                    level.ternaries = 0;
                }
                self.before = Before::Operator;
            }
            _ => self.operator(byte),
        }
    }

    fn slash(&mut self) {
        match self.before {
            Before::Statement | Before::Operator | Before::Arrow | Before::Dot => self.regex(),
            Before::Operand | Before::Parameters { .. } | Before::ClassHead { .. } => {
                self.at += 1;
                self.link();
                self.before = Before::Operator;
            }
        }
    }

    fn operator(&mut self, byte: u8) {
        let next = self.peek(0);
        match (byte, next) {
            (b'.', Some(b'0'..=b'9')) if self.before != Before::Operand => return self.number(),
            (b'.', Some(b'.')) => {
                self.at += 2;
                self.before = Before::Operator;
            }
            (b'.', _) => self.before = Before::Dot,
            (b'?', Some(b'.')) => {
                self.at += 1;
                self.before = Before::Dot;
            }
            (b'?', Some(b'?')) => {
                self.at += 1;
                self.before = Before::Operator;
            }
            (b'?', _) => {
                if let Some(level) = self.levels.last_mut() {
                    level.ternaries += 1;
                }
                self.before = Before::Operator;
            }
            (b':', _) => self.before = self.behind_colon(),
            (b'=', Some(b'>')) => {
                self.at += 1;
                self.before = Before::Arrow;
            }
            (b'+', Some(b'+')) | (b'-', Some(b'-')) => {
                self.at += 1;
                // Behind an operand it belongs to it; before one nothing but a name may follow.
                if self.before != Before::Operand {
                    self.before = Before::Operator;
                }
            }
            (b'*', _) if matches!(self.before, Before::Parameters { .. }) => {}
            _ => self.before = Before::Operator,
        }
        self.link();
    }

    fn behind_colon(&mut self) -> Before {
        let Some(level) = self.levels.last_mut() else { return Before::Statement };
        let is_ternary = level.ternaries > 0;
        level.ternaries = level.ternaries.saturating_sub(1);
        match level.bracket {
            Bracket::Curly { expression: false } if !is_ternary => Before::Statement,
            Bracket::Curly { .. } | Bracket::Round { .. } | Bracket::Square | Bracket::Template => {
                Before::Operator
            }
        }
    }

    fn open_curly(&mut self) {
        let expression = match self.before {
            Before::Statement | Before::Arrow | Before::Operand | Before::Dot => false,
            Before::Operator => true,
            Before::Parameters { expression } | Before::ClassHead { expression } => expression,
        };
        // What a class or a function holds are members or statements; an object's are properties, after which a colon
        // is followed by an expression.
        self.link();
        self.push(Bracket::Curly { expression });
        self.before = if expression {
            match self.before {
                Before::Operator => Before::Operand,
                Before::Statement
                | Before::Arrow
                | Before::Operand
                | Before::Dot
                | Before::Parameters { .. }
                | Before::ClassHead { .. } => Before::Statement,
            }
        } else {
            Before::Statement
        };
    }

    fn close(&mut self, byte: u8) {
        let closed = self.pop();
        self.before = match closed {
            Some(Bracket::Round { head: true, .. }) => Before::Statement,
            Some(Bracket::Round { function: Some(expression), .. }) => Before::Parameters { expression },
            Some(Bracket::Curly { expression: false }) => {
                self.ended = true;
                Before::Statement
            }
            Some(
                Bracket::Curly { expression: true }
                | Bracket::Round { .. }
                | Bracket::Square
                | Bracket::Template,
            ) => Before::Operand,
            None => Before::Statement,
        };
        // A line that ends with a round bracket may be the head of something.
        self.newline &= byte != b')';
    }

    fn push(&mut self, bracket: Bracket) {
        self.ended = false;
        self.newline = false;
        self.levels.push(Level { bracket, chain: 0, statements: 0, ternaries: 0 });
        self.deeper();
    }

    fn pop(&mut self) -> Option<Bracket> {
        self.ended = false;
        self.newline = false;
        let level = self.levels.pop()?;
        self.depth -= level.chain + level.statements + 1;
        if self.levels.is_empty() {
            self.push(Bracket::Curly { expression: false });
        }
        Some(level.bracket)
    }

    fn link(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.chain += 1;
            self.deeper();
        }
    }

    fn statement_link(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.statements += 1;
            self.deeper();
        }
    }

    fn deeper(&mut self) {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    /// Lets go of the links of a statement that has ended, unless it goes on.
    fn settle(&mut self, goes_on: bool) {
        if std::mem::take(&mut self.ended) && !goes_on {
            self.reset();
        }
        self.newline = false;
    }

    fn reset(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            self.depth -= std::mem::take(&mut level.chain) + std::mem::take(&mut level.statements);
            level.ternaries = 0;
        }
    }
}

#[cfg(test)]
mod tests;
