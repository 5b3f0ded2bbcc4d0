use connector::CaptureFilter;
use regex::Regex;

/// Names of tables as people write them: `public.*`, `*.orders`, `sales.invoice_20??`, separated by commas.
#[derive(Debug, Clone, Default)]
pub struct Globs(Vec<Regex>);

impl Globs {
    /// `*` stands for any characters and `?` for one; everything else for itself, whatever its case.
    ///
    /// # Errors
    /// A name without a schema, which would match nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut globs = Vec::new();
        for glob in text
            .split(',')
            .map(str::trim)
            .filter(|glob| !glob.is_empty())
        {
            if glob != "*" && !glob.contains('.') {
                return Err(format!(
                    "want schema and table, as `public.{glob}` or `*.{glob}`"
                ));
            }
            let mut regex = String::from("(?is)^");
            for c in glob.chars() {
                match c {
                    '*' => regex.push_str(".*"),
                    '?' => regex.push('.'),
                    c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                }
            }
            regex.push('$');
            globs.push(Regex::new(&regex).map_err(|error| error.to_string())?);
        }
        Ok(Self(globs))
    }
}

/// A pattern that matches this name alone.
pub fn exactly(name: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^{}$", regex::escape(name)))
}

/// The tables that `include` names (all where it names none) and `exclude` does not.
pub fn filter(include: Globs, exclude: Globs) -> CaptureFilter {
    CaptureFilter {
        table_include: include.0,
        table_exclude: exclude.0,
        ..CaptureFilter::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (globs, name, matches) in [
            ("public.*", "public.orders", true),
            ("public.*", "public2.orders", false),
            ("*", "any.thing", true),
            ("public.a, public.b", "public.b", true),
            ("*.order?", "shop.orders", true),
            ("*.order?", "shop.order", false),
            ("public.a.b", "public.axb", false),
            ("public.Ä(1)", "public.ä(1)", true),
        ] {
            let globs = Globs::parse(globs).expect(globs);
            let found = globs.0.iter().any(|glob| glob.is_match(name));
            assert_eq!(found, matches, "{globs:?} {name}");
        }
        let error = Globs::parse("orders").expect_err("no schema");
        assert!(error.contains("public.orders"), "{error}");
    }
}
