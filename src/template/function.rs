//! A function of a template: its layers in order, and what it runs with. Of SAM's functions, with what Globals says for all.

use std::path::PathBuf;
use std::rc::Rc;

use super::error::{Spot, TemplateError};
use super::scope::{Location, Scope};
use super::value::{Unknown, Value};
use super::yaml::{Kind, Node};

/// The type of functions that Globals is for.
const SAM: &str = "AWS::Serverless::Function";
/// As many as AWS would read of a list of layers, and more.
const MOST_LAYERS: usize = 100;

/// A function of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its logical id, with the nested stacks it is in.
    pub id: String,
    /// What it is called on AWS, where the template says so.
    pub name: Option<String>,
    /// Its layers, first to last.
    pub layers: Vec<LayerSource>,
    /// Such as `python3.12`.
    pub runtime: Option<String>,
    /// What is called.
    pub handler: Option<String>,
    /// In MB.
    pub memory_size: Option<String>,
    /// Its variables, as far as they can be known here.
    pub environment: Vec<(String, String)>,
    /// Variables that cannot be known here, and why.
    pub unknown: Vec<(String, String)>,
    /// Its code, where that is on this machine.
    pub code: Option<PathBuf>,
    /// Where it stands.
    pub spot: Spot,
}

/// What a function names as a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerSource {
    /// A published version.
    Published {
        /// Its ARN.
        arn: String,
        /// Where it is named.
        spot: Spot,
    },
    /// One that the template makes of files.
    Local {
        /// Its logical id, without stacks.
        id: String,
        /// A zip, or a directory of what will be in `/opt`.
        path: PathBuf,
        /// Where it says so.
        spot: Spot,
    },
}

/// A function being read.
struct Reading<'s, 'a> {
    scope: &'s Rc<Scope<'a>>,
    id: &'s str,
    resource: Rc<Node>,
    globals: Option<Rc<Node>>,
}

pub(super) fn read<'a>(scope: &Rc<Scope<'a>>, id: &str) -> Result<Function, TemplateError> {
    let Some(resource) = scope.resource(id) else {
        return Err(scope.spot().error(format!("has no function {id}")));
    };
    let is_sam = resource.get("Type").and_then(|kind| kind.text()) == Some(SAM);
    let globals = scope.document.get_below(&["Globals", "Function"]);
    let reading = Reading {
        scope,
        id,
        resource: Rc::clone(resource),
        globals: globals.filter(|_| is_sam).cloned(),
    };
    if reading.text("PackageType")?.as_deref() == Some("Image") {
        let error = reading
            .spot(resource, "PackageType")
            .error("a container image, which has no layers");
        return Err(error.hint("name a function of PackageType Zip"));
    }
    let (environment, unknown) = reading.environment()?;
    let code = ["CodeUri", "Code"]
        .iter()
        .find(|code| resource.get_below(&["Properties", code]).is_some());
    Ok(Function {
        id: scope.path_of(id),
        name: reading.text("FunctionName")?,
        layers: reading.layers()?,
        runtime: reading.text("Runtime")?,
        handler: reading.text("Handler")?,
        memory_size: reading.text("MemorySize")?,
        environment,
        unknown,
        code: match code {
            Some(code) => match scope.location(id, code)? {
                Location::Local(path) => Some(path),
                Location::Elsewhere(_) => None,
            },
            None => None,
        },
        spot: reading.spot(resource, ""),
    })
}

impl<'a> Reading<'_, 'a> {
    fn spot(&self, node: &Node, property: &str) -> Spot {
        self.scope.spot_of(node.at, self.id, property)
    }

    fn own(&self, property: &str) -> Option<Rc<Node>> {
        self.resource.get_below(&["Properties", property]).cloned()
    }

    fn global(&self, property: &str) -> Option<Rc<Node>> {
        self.globals.as_ref()?.get(property).cloned()
    }

    /// A property, the function's own before that of Globals; none where it cannot be known.
    fn text(&self, property: &str) -> Result<Option<String>, TemplateError> {
        let Some(node) = self.own(property).or_else(|| self.global(property)) else {
            return Ok(None);
        };
        Ok(match self.scope.evaluate(&node)? {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    /// SAM puts two lists together, those of Globals first; anything else of the function's own counts alone.
    fn layers(&self) -> Result<Vec<LayerSource>, TemplateError> {
        let (own, global) = (self.own("Layers"), self.global("Layers"));
        let is_list = |node: &Rc<Node>| matches!(node.kind, Kind::List(_));
        let lists = match (global, own) {
            (Some(global), Some(own)) if is_list(&global) && is_list(&own) => vec![global, own],
            (_, Some(own)) => vec![own],
            (Some(global), None) => vec![global],
            (None, None) => return Ok(Vec::new()),
        };
        let mut layers = Vec::new();
        for list in lists {
            // Each by itself where they are written down, so that the place of each is known.
            let parts = match &list.kind {
                Kind::List(parts) => parts.clone(),
                _ => match self.scope.evaluate(&list)? {
                    Value::Nothing => continue,
                    Value::List(values) => {
                        for value in values {
                            self.add_layer(value, &list, &mut layers)?;
                        }
                        continue;
                    }
                    Value::Unknown(unknown) => return Err(self.unknown(&list, "Layers", &unknown)),
                    other => {
                        let message = format!("{}, where a list of layers is expected", other.kind());
                        return Err(self.spot(&list, "Layers").error(message));
                    }
                },
            };
            for part in parts {
                let value = self.scope.evaluate(&part)?;
                self.add_layer(value, &part, &mut layers)?;
            }
        }
        Ok(layers)
    }

    fn add_layer(
        &self,
        value: Value<'a>,
        node: &Node,
        layers: &mut Vec<LayerSource>,
    ) -> Result<(), TemplateError> {
        let property = format!("Layers[{}]", layers.len());
        if layers.len() >= MOST_LAYERS {
            return Err(self
                .spot(node, &property)
                .error("more layers than anybody can attach: AWS takes five"));
        }
        match value {
            Value::Nothing => {}
            Value::Layer(scope, id) => layers.push(local_layer(&scope, &id)?),
            Value::Text(arn) => layers.push(LayerSource::Published {
                arn,
                spot: self.spot(node, &property),
            }),
            Value::Unknown(unknown) => return Err(self.unknown(node, &property, &unknown)),
            other => {
                let message = format!("{}, where the ARN of a layer version is expected", other.kind());
                return Err(self.spot(node, &property).error(message));
            }
        }
        Ok(())
    }

    fn unknown(&self, node: &Node, property: &str, unknown: &Unknown) -> TemplateError {
        let error = self
            .spot(node, property)
            .error(format!("cannot be known here: {}", unknown.why));
        error.hint(
            unknown
                .hint
                .clone()
                .unwrap_or_else(|| "write the layer's ARN there, or have a parameter for it".to_owned()),
        )
    }

    /// Variables of Globals and of the function, which come first, with what is not known apart.
    fn environment(&self) -> Result<(Pairs, Pairs), TemplateError> {
        let (mut known, mut unknown) = (Pairs::new(), Pairs::new());
        for node in [self.global("Environment"), self.own("Environment")]
            .into_iter()
            .flatten()
        {
            let Some(variables) = node.get("Variables") else {
                continue;
            };
            let variables = match self.scope.evaluate(variables)? {
                Value::Map(variables) => variables,
                Value::Unknown(why) => {
                    unknown.push(("Environment".to_owned(), why.why));
                    continue;
                }
                _ => continue,
            };
            for (name, value) in variables {
                known.retain(|(before, _)| *before != name);
                unknown.retain(|(before, _)| *before != name);
                match value.text() {
                    Ok(text) => known.push((name, text.to_owned())),
                    Err(why) => unknown.push((name, why.why)),
                }
            }
        }
        Ok((known, unknown))
    }
}

type Pairs = Vec<(String, String)>;

/// A layer that the template makes, with its files on this machine.
fn local_layer(scope: &Rc<Scope<'_>>, id: &str) -> Result<LayerSource, TemplateError> {
    let property = ["ContentUri", "Content"]
        .into_iter()
        .find(|property| {
            scope
                .resource(id)
                .and_then(|layer| layer.get_below(&["Properties", property]))
                .is_some()
        })
        .unwrap_or("Content");
    let layer = scope.resource(id);
    let node = layer.and_then(|layer| layer.get_below(&["Properties", property]).or(Some(layer)));
    let spot = scope.spot_of(node.map_or_else(Default::default, |node| node.at), id, property);
    let path = match scope.location(id, property)? {
        Location::Local(path) => path,
        Location::Elsewhere(unknown) => {
            let error = spot.error(format!("cannot be had here: {}", unknown.why));
            return Err(match unknown.hint {
                Some(hint) => error.hint(hint),
                None => error.hint("name a directory or a zip on this machine there"),
            });
        }
    };
    let metadata = |key: &str| layer.and_then(|layer| layer.get_below(&["Metadata", key]));
    let is_built = metadata("SamResourceId").is_some()
        || scope.file.components().any(|part| part.as_os_str() == ".aws-sam");
    if let Some(method) = metadata("BuildMethod").filter(|_| !is_built) {
        let method = method.text().unwrap_or("?");
        let spot = scope.spot_of(
            node.map_or_else(Default::default, |node| node.at),
            id,
            "BuildMethod",
        );
        return Err(spot
            .error(format!(
                "what is in the layer is made by SAM ({method}), and this template is not built"
            ))
            .hint(
                "run 'sam build', then name what it has written: --template .aws-sam/build/template.yaml",
            ));
    }
    Ok(LayerSource::Local {
        id: id.to_owned(),
        path,
        spot,
    })
}
