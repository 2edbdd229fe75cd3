//! Geometry on the sphere and cells (reference: "Geospatial functions").

pub(super) const TABLE: &str = "
geo_from_wkt(wkt: string|dynamic) -> dynamic
geo_angle(longitude1: real, latitude1: real, longitude2: real, latitude2: real, longitude3: real, latitude3: real) -> real
geo_azimuth(longitude1: real, latitude1: real, longitude2: real, latitude2: real) -> real
geo_distance_2points(longitude1: real, latitude1: real, longitude2: real, latitude2: real, use_spheroid?: number|bool) -> real
geo_distance_point_to_line(longitude: real, latitude: real, line: dynamic) -> real
geo_distance_point_to_polygon(longitude: real, latitude: real, polygon: dynamic) -> real
geo_point_in_circle(longitude: real, latitude: real, center_longitude: real, center_latitude: real, radius: real) -> bool
geo_point_in_polygon(longitude: real, latitude: real, polygon: dynamic) -> bool
geo_point_buffer(longitude: real, latitude: real, radius: real, tolerance?: real) -> dynamic
geo_line_buffer(line: dynamic, radius: real, tolerance?: real) -> dynamic
geo_polygon_buffer(polygon: dynamic, radius: real, tolerance?: real) -> dynamic
geo_intersects_2lines(line1: dynamic, line2: dynamic) -> bool
geo_intersection_2lines(line1: dynamic, line2: dynamic) -> dynamic
geo_intersects_line_with_polygon(line: dynamic, polygon: dynamic) -> bool
geo_intersection_line_with_polygon(line: dynamic, polygon: dynamic) -> dynamic
geo_intersects_2polygons(polygon1: dynamic, polygon2: dynamic) -> bool
geo_intersection_2polygons(polygon1: dynamic, polygon2: dynamic) -> dynamic
geo_union_polygons_array(polygons: dynamic) -> dynamic
geo_union_lines_array(lines: dynamic) -> dynamic
geo_polygon_to_s2cells(polygon: dynamic, level?: integer, radius?: real) -> dynamic
geo_line_to_s2cells(line: dynamic, level?: integer, radius?: real) -> dynamic
__geo_polygon_s2cell_covering_level(polygon: dynamic) -> int
__geo_line_s2cell_covering_level(line: dynamic) -> int
__geo_length_to_s2cell_level(length: real) -> int
geo_polygon_densify(polygon: dynamic, tolerance?: real, preserve_crossing?: number|bool) -> dynamic
geo_polygon_area(polygon: dynamic) -> real
geo_polygon_centroid(polygon: dynamic) -> dynamic
geo_polygon_perimeter(polygon: dynamic) -> real
geo_line_length(line: dynamic) -> real
geo_line_centroid(line: dynamic) -> dynamic
geo_line_densify(line: dynamic, tolerance?: real, preserve_crossing?: number|bool) -> dynamic
geo_line_simplify(line: dynamic, tolerance?: real) -> dynamic
geo_line_locate_point(line: dynamic, longitude: real, latitude: real, use_spheroid?: number|bool) -> real
geo_line_interpolate_point(line: dynamic, fraction: real) -> dynamic
geo_closest_point_on_line(longitude: real, latitude: real, line: dynamic) -> dynamic
geo_closest_point_on_polygon(longitude: real, latitude: real, polygon: dynamic) -> dynamic
geo_polygon_simplify(polygon: dynamic, tolerance?: real) -> dynamic
geo_simplify_polygons_array(polygons: dynamic, tolerance?: real) -> dynamic
__geo_line_validate(line: dynamic) -> string
__geo_polygon_validate(polygon: dynamic) -> string
geo_point_to_geohash(longitude: real, latitude: real, accuracy?: integer) -> string
geo_geohash_to_central_point(geohash: string) -> dynamic
geo_geohash_to_polygon(geohash: string) -> dynamic
geo_geohash_neighbors(geohash: string) -> dynamic
geo_point_to_s2cell(longitude: real, latitude: real, level?: integer) -> string
geo_s2cell_to_central_point(s2cell: string) -> dynamic
geo_s2cell_to_polygon(s2cell: string) -> dynamic
geo_s2cell_neighbors(s2cell: string) -> dynamic
geo_point_to_h3cell(longitude: real, latitude: real, resolution?: integer) -> string
geo_h3cell_to_central_point(h3cell: string) -> dynamic
geo_h3cell_to_polygon(h3cell: string) -> dynamic
geo_h3cell_neighbors(h3cell: string) -> dynamic
geo_h3cell_children(h3cell: string, resolution?: integer) -> dynamic
geo_h3cell_parent(h3cell: string, resolution?: integer) -> string
geo_h3cell_rings(h3cell: string, distance: integer) -> dynamic
geo_h3cell_level(h3cell: string) -> int
geo_polygon_to_h3cells(polygon: dynamic, resolution?: integer, radius?: real) -> dynamic
";
