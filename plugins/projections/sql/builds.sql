SELECT projection, version, build, role, state, error, fence, position, holes,
       array_to_string(tables, ',') AS tables
FROM summa_read.projection_checkpoint ORDER BY projection, build
