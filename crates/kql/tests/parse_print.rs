//! One query for every form of the language: it parses, and what is printed from its tree parses to the same tree.

use watchkeeper_kql::{parse, syntax::print::print};

const FORMS: &[&str] = &[
    "set notruncation; set maxrows = 10; declare query_parameters(n:long = 5, s:string); Disks | take n",
    "let limit = 3d; let busy = (T:(Host:string, *), share:real = 0.5) { T | where Load > share }; Hosts | invoke busy(0.9)",
    "let v = view () { Disks }; union isfuzzy=true withsource=From v, Dis*, database('ops').* | count as n",
    "alias database Old = cluster('east').database('ops'); database('Old').Disks | consume",
    "declare pattern site = (name:string)[part:string] { ('a').['b'] = { Disks }; }; site('a').b",
    "restrict access to (Disks, database('o*').T*); Disks",
    "Disks | where Host in~ ('a', 'b') and Path !has 'x' or not(Free between (1 .. 10)) and * contains 'y'",
    "Disks | where Host has_any (Hosts | project Host) and Path matches regex @'^/d\"ata' and Free !between (1d .. 2d)",
    "Disks | extend (a, b) = f(x = 1, *), ['odd name'] = bag.x['y'][0].[z], t = -1 + 2 * 3 % 4 - (5 - 6)",
    "Disks | summarize hint.strategy=shuffle n = count(), max(Free) by Host, bin(At, 5m) | sort by n desc nulls last, Host asc",
    "Disks | join kind=leftouter hint.remote=left (Hosts | where Up) on Host, $left.a == $right.b | lookup Sites on Site",
    "Disks | mv-expand bagexpansion=array with_itemindex=i x = Tags to typeof(string), y limit 5",
    "Disks | mv-apply x = Tags to typeof(long) limit 9 on (top 1 by x | project x)",
    "Disks | make-series a = avg(Free) default=0, max(Free) on At from ago(1d) to now() step 1h by Host",
    "Disks | make-series kind=nonempty avg(Free) on At in range(ago(1d), now(), 1h)",
    "Disks | parse kind=regex flags=Ui Text with * 'a=' a:long ' b=' b | parse-where Text with 'x' c *",
    "Disks | parse-kv Text as (a:string, ['b c']:long) with (pair_delimiter=' ', kv_delimiter='=')",
    "Disks | partition hint.strategy=native by Host (top 1 by Free) | partition by Site { Hosts | where Site == 1 }",
    "Disks | fork a = (take 5) (summarize count() | render table) | facet by Host with (take 1)",
    "find withsource=S in (Disks, Ho*) where Host has 'a' project Host, Free:long, pack(*)",
    "search kind=case_sensitive in (Disks, Hosts) 'a' and Host:'b'",
    "Disks | scan with_match_id=m partition by Host declare (n:long = 0) with (step s output=last: true => n = s.n + 1; step e optional: n > 1;)",
    "Disks | top-nested 3 of Host with others='rest' by sum(Free) desc, top-nested of Path by max(Free)",
    "Disks | top-hitters 5 of Host by Free | sample 3 | sample-distinct 2 of Host | reduce by Path with threshold=0.5",
    "Disks | project-away T* | project-keep *_x, a | project-rename b = a | project-reorder b granny-desc, c asc, *",
    "Links | make-graph a --> b with Hosts on Id | graph-match cycles=none (x)-[e*1..3]->(y)<--(z)--(), (x) where x.n == 1 project y.n",
    "Links | make-graph a --> b with_node_id=id partitioned-by Site (graph-shortest-paths output=all (x)-[e*..4]-(y) project x.id)",
    "Links | make-graph a -- b | graph-mark-components kind=weak with_component_id=c | graph-to-table nodes as N with_node_id=n, edges as E",
    "macro-expand entity_group [cluster('a').database('b'), database('c')] as X (X.Disks | take 1) | count",
    "datatable(a:long, b:dynamic, c:datetime)[1, dynamic({'x': [1, -2.5, null, true, \"q\"]}), datetime(2024-02-29 10:00), long(null), -3, 0xff,]",
    "externaldata(a:string)[h@'https://x/y;key' , \"b\" 'c'] with (format='csv', ignoreFirstRecord=true)",
    "inline_external_table(a:string) kind=storage partition by (d:datetime = bin(a, 1d)) pathformat=('x=' d) dataformat=csv ('u') with (z=1)",
    "print a = 1.5e3, ```two\nlines```, 'it\\'s \\u00e9', 10ms, 1tick, guid(74be27de-1e4e-49d9-b579-fe0b331d3642), real(nan), typeof(long)",
    "range x from 1 to 10 step 2 | extend y = toscalar(Disks | count), z = materialize(Disks) | evaluate pivot(x, sum(y)) : (*, a:long)",
    "Disks | render timechart with (title='a', ycolumns=a, b, kind=stacked) // the end",
    "Disks | as hint.materialized=true D | serialize n = row_number() | getschema | assert-schema (a:long) | execute-and-cache",
    "workspace('w').Disks | union (app('a').Disks | limit 1), (Hosts) | filter a <> b | order by a",
];

/// The tree as text, without places.
fn shape(query: &str) -> String {
    let text = format!("{:?}", parse(query).query);
    text.split("Span { ")
        .map(|piece| {
            piece.split_once(" }").map_or(piece, |(place, rest)| if place.starts_with("start") { rest } else { piece })
        })
        .collect()
}

#[test]
fn every_form_prints_back_to_the_same_tree() {
    for query in FORMS {
        let parsed = parse(query);
        assert!(parsed.diagnostics.is_empty(), "{query}\n{:?}", parsed.diagnostics);
        let printed = print(&parsed.query);
        assert_eq!(parse(&printed).diagnostics, [], "{query}\n{printed}");
        assert_eq!(shape(query), shape(&printed), "{query}\n{printed}");
    }
}

#[test]
fn string_predicates_bind_tighter_than_arithmetic_and_comparison() {
    assert_eq!(shape("print a + b * c has d == e"), shape("print (a + (b * (c has d))) == e"));
    assert_ne!(shape("print a - b - c"), shape("print a - (b - c)"));
}
