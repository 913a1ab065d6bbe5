//! The document that describes the API, in the form of OpenAPI 3.1.

use serde_json::Value;

/// The document.
pub(super) fn document() -> Value {
    let text = include_str!("openapi.json");
    let mut document: Value = serde_json::from_str(text).unwrap_or_default();
    document["info"]["version"] = Value::from(env!("CARGO_PKG_VERSION"));
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::routes;
    use super::*;

    #[test]
    fn each_route_is_described_and_there_is_no_other() {
        let document = document();
        let paths = document["paths"].as_object().expect("paths");
        let described: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().expect("methods").keys();
                let is_method = |key: &&String| *key != "parameters";
                methods
                    .filter(is_method)
                    .map(|method| (path.clone(), method.clone()))
                    .collect::<Vec<_>>()
            })
            .collect();
        let routes: BTreeSet<(String, String)> = routes::all()
            .flat_map(|(path, methods)| {
                let pair = |method: &&str| (path.to_owned(), (*method).to_owned());
                methods.iter().map(pair).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(described, routes);
    }
}
