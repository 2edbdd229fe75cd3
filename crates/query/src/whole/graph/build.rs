//! From tables of edges and nodes to a graph of numbers.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::{filter, filter_record_batch, interleave, take};
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use watchkeeper_kql::graph::{DEGREE_IN, DEGREE_OUT};

use super::super::{Room, column};

/// Memory that a node or an edge takes beside its properties: numbers, adjacency, marks.
const ELEMENT_BYTES: usize = 64;

/// What nodes have.
#[derive(Debug)]
pub struct NodeShape {
    /// The column with the identity, for each table of nodes.
    pub keys: Vec<String>,
    /// The property that holds the identity of nodes that only edges name.
    pub id: Option<String>,
    /// The properties that are asked for, each with the value of nodes that have none.
    pub properties: Vec<(String, ScalarValue)>,
}

/// Edges of each node, one after the other.
#[derive(Debug, Default)]
pub struct Adjacency {
    offsets: Vec<u32>,
    edges: Vec<u32>,
}

impl Adjacency {
    fn new(nodes: usize, ends: &[u32]) -> Adjacency {
        let mut offsets = vec![0_u32; nodes + 1];
        for node in ends {
            offsets[*node as usize + 1] += 1;
        }
        for at in 0..nodes {
            offsets[at + 1] += offsets[at];
        }
        let mut next = offsets.clone();
        let mut edges = vec![0_u32; ends.len()];
        for (edge, node) in ends.iter().enumerate() {
            let place = &mut next[*node as usize];
            edges[*place as usize] = edge as u32;
            *place += 1;
        }
        Adjacency { offsets, edges }
    }

    pub fn of(&self, node: u32) -> &[u32] {
        let node = node as usize;
        &self.edges[self.offsets[node] as usize..self.offsets[node + 1] as usize]
    }
}

/// A graph. Nodes and edges are numbers; their properties are columns by number.
#[derive(Debug)]
pub struct Graph {
    identity: ArrayRef,
    properties: Vec<(String, ArrayRef)>,
    edges: RecordBatch,
    /// Nodes at the ends of each edge.
    pub source: Vec<u32>,
    pub target: Vec<u32>,
    /// Edges that begin, and that end, in a node.
    pub from: Adjacency,
    pub into: Adjacency,
}

impl Graph {
    /// `inputs`: the edges, then the tables of nodes.
    pub fn build(inputs: &[RecordBatch], source: &str, target: &str, shape: &NodeShape, room: &Room) -> Result<Graph> {
        let Some((edges, tables)) = inputs.split_first() else { return exec_err!("make-graph has no edges") };
        let mut keys: Vec<ArrayRef> = Vec::new();
        for (table, key) in tables.iter().zip(&shape.keys) {
            keys.push(Arc::clone(column(table, key)?));
        }
        keys.push(Arc::clone(column(edges, source)?));
        keys.push(Arc::clone(column(edges, target)?));
        let numbered = Numbered::new(&keys, room)?;
        room.grow((numbered.first.len() + edges.num_rows()) * ELEMENT_BYTES)?;
        let key_arrays: Vec<&dyn Array> = keys.iter().map(AsRef::as_ref).collect();
        let identity = interleave(&key_arrays, &numbered.first)?;
        let mut properties = Vec::new();
        for (name, missing) in &shape.properties {
            let named_by_edges = shape.id.as_ref() == Some(name);
            properties
                .push((name.clone(), numbered.property(tables, name, missing, named_by_edges.then_some(&identity))?));
        }
        room.grow(properties.iter().map(|(_, array)| array.get_array_memory_size()).sum())?;
        let [.., source, target] = numbered.nodes.as_slice() else {
            return exec_err!("make-graph has no ends of edges");
        };
        let mut graph = Graph {
            identity,
            properties,
            edges: edges.clone(),
            source: source.clone(),
            target: target.clone(),
            from: Adjacency::default(),
            into: Adjacency::default(),
        };
        graph.connect();
        Ok(graph)
    }

    fn connect(&mut self) {
        self.from = Adjacency::new(self.node_count(), &self.source);
        self.into = Adjacency::new(self.node_count(), &self.target);
    }

    pub fn node_count(&self) -> usize {
        self.identity.len()
    }

    pub fn edge_count(&self) -> usize {
        self.source.len()
    }

    /// The identities of the nodes.
    pub fn identity(&self) -> ArrayRef {
        Arc::clone(&self.identity)
    }

    pub fn property(&self, name: &str) -> Result<ArrayRef> {
        match self.properties.iter().find(|(known, _)| known == name) {
            Some((_, array)) => Ok(Arc::clone(array)),
            None => exec_err!("the nodes of the graph have no property {name}"),
        }
    }

    pub fn edge_column(&self, name: &str) -> Result<ArrayRef> {
        Ok(Arc::clone(column(&self.edges, name)?))
    }

    /// All properties of the nodes by name.
    pub fn properties(&self) -> impl Fn(&str) -> Result<ArrayRef> {
        |name| self.property(name)
    }

    /// All columns of the edges by name.
    pub fn edge_columns(&self) -> impl Fn(&str) -> Result<ArrayRef> {
        |name| self.edge_column(name)
    }

    pub fn add_property(&mut self, name: &str, values: ArrayRef) {
        self.properties.push((name.to_string(), values));
    }

    /// Counts of the edges of each node, as properties.
    pub fn add_degrees(&mut self) {
        for (name, ends) in [(DEGREE_IN, &self.target), (DEGREE_OUT, &self.source)] {
            let mut counts = vec![0_i64; self.identity.len()];
            ends.iter().for_each(|node| counts[*node as usize] += 1);
            self.properties.push((name.to_string(), Arc::new(Int64Array::from(counts))));
        }
    }

    /// Drops nodes, and the edges that they had.
    pub fn keep_nodes(&mut self, kept: &[bool]) -> Result<()> {
        let mut number = vec![u32::MAX; kept.len()];
        let mut next = 0;
        for (node, kept) in kept.iter().enumerate() {
            if *kept {
                number[node] = next;
                next += 1;
            }
        }
        let flags = BooleanArray::from(kept.to_vec());
        self.identity = filter(&self.identity, &flags)?;
        for (_, array) in &mut self.properties {
            *array = filter(array, &flags)?;
        }
        let ends = self.source.iter().zip(&self.target);
        let edges: Vec<bool> = ends.map(|(source, target)| kept[*source as usize] && kept[*target as usize]).collect();
        self.retain_edges(&edges)?;
        for node in self.source.iter_mut().chain(&mut self.target) {
            *node = number[*node as usize];
        }
        self.connect();
        Ok(())
    }

    pub fn keep_edges(&mut self, kept: &[bool]) -> Result<()> {
        self.retain_edges(kept)?;
        self.connect();
        Ok(())
    }

    fn retain_edges(&mut self, kept: &[bool]) -> Result<()> {
        self.edges = filter_record_batch(&self.edges, &BooleanArray::from(kept.to_vec()))?;
        for ends in [&mut self.source, &mut self.target] {
            let old = std::mem::take(ends);
            *ends = old.into_iter().zip(kept).filter(|(_, kept)| **kept).map(|(node, _)| node).collect();
        }
        Ok(())
    }
}

/// Identities as numbers, in the order in which they come.
struct Numbered {
    /// For each array of identities, the node of each row.
    nodes: Vec<Vec<u32>>,
    /// Where each node came first: array and row.
    first: Vec<(usize, usize)>,
}

impl Numbered {
    fn new(keys: &[ArrayRef], room: &Room) -> Result<Numbered> {
        let ty = keys.first().map_or(DataType::Null, |key| key.data_type().clone());
        let converter = RowConverter::new(vec![SortField::new(ty)])?;
        let rows: Vec<Rows> = keys
            .iter()
            .map(|key| converter.convert_columns(&[Arc::clone(key)]))
            .collect::<std::result::Result<_, _>>()?;
        room.grow(rows.iter().map(Rows::size).sum())?;
        let mut numbers: HashMap<&[u8], u32> = HashMap::new();
        let mut first = Vec::new();
        let mut nodes = Vec::new();
        for (array, rows) in rows.iter().enumerate() {
            room.check()?;
            let mut own = Vec::with_capacity(rows.num_rows());
            for row in 0..rows.num_rows() {
                let next = first.len() as u32;
                let number = *numbers.entry(rows.row(row).data()).or_insert(next);
                if number == next {
                    first.push((array, row));
                }
                own.push(number);
            }
            nodes.push(own);
        }
        Ok(Numbered { nodes, first })
    }

    /// The values of a property: of the first table that has one for the node, and of the first row there.
    fn property(
        &self,
        tables: &[RecordBatch],
        name: &str,
        missing: &ScalarValue,
        identity: Option<&ArrayRef>,
    ) -> Result<ArrayRef> {
        let mut arrays: Vec<ArrayRef> = vec![missing.to_array_of_size(1)?];
        let mut places = vec![(0_usize, 0_usize); self.first.len()];
        if let Some(identity) = identity {
            arrays.push(Arc::clone(identity));
            places.iter_mut().enumerate().for_each(|(node, place)| *place = (1, node));
        }
        let of_edges = self.nodes.len() - 2;
        let known_by_table = |node: usize| self.first[node].0 < of_edges;
        let mut set = vec![false; self.first.len()];
        for (table, nodes) in tables.iter().zip(&self.nodes) {
            let Some(values) = table.column_by_name(name) else { continue };
            for (row, node) in nodes.iter().enumerate() {
                let node = *node as usize;
                if !set[node] && values.is_valid(row) {
                    places[node] = (arrays.len(), row);
                    set[node] = true;
                }
            }
            arrays.push(Arc::clone(values));
        }
        if identity.is_some() && !tables.is_empty() {
            // a node of another table has no value here
            for (node, place) in places.iter_mut().enumerate() {
                if !set[node] && known_by_table(node) {
                    *place = (0, 0);
                }
            }
        }
        let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        Ok(interleave(&arrays, &places)?)
    }
}

/// Values by number.
pub fn taken(values: &ArrayRef, numbers: &[u32]) -> Result<ArrayRef> {
    Ok(take(values, &UInt32Array::from(numbers.to_vec()), None)?)
}
