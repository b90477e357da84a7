SELECT projection, version, build, role, state, error, fence, replay_to, position, holes
FROM summa_read.projection_checkpoint ORDER BY projection, build
