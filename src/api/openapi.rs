//! The document that describes the API, in the form of OpenAPI 3.1.

use serde_json::Value;

use super::shared::AdHocSchema;

/// The document; what a job is that comes along is said by the configuration in force.
pub(super) fn document(ad_hoc: AdHocSchema) -> Value {
    let text = include_str!("openapi.json");
    let mut document: Value = serde_json::from_str(text).unwrap_or_default();
    document["info"]["version"] = Value::from(env!("CARGO_PKG_VERSION"));
    let schemas = &mut document["components"]["schemas"];
    schemas["Name"] = ad_hoc.name;
    schemas["Task"] = ad_hoc.task;
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::roles::Role;
    use super::super::routes;
    use super::*;

    #[test]
    fn each_route_is_described_and_there_is_no_other() {
        let document = document(AdHocSchema {
            name: Value::Null,
            task: Value::Null,
        });
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
                let pair = |(method, _): &(&str, Role)| (path.to_owned(), (*method).to_owned());
                methods.iter().map(pair).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(described, routes);
    }
}
