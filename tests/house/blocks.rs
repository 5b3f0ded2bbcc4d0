//! The blocks of a page of Markdown.

/// A block, and the title of the section that it stands in.
#[derive(Debug)]
pub struct Block {
    pub title: String,
    /// What stands behind the backticks.
    pub kind: String,
    pub text: String,
}

pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut title = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("## ") {
            title = text.to_owned();
        }
        let Some(kind) = line.strip_prefix("```") else {
            continue;
        };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block {
            title: title.clone(),
            kind: kind.to_owned(),
            text: text.join("\n"),
        });
    }
    blocks
}
