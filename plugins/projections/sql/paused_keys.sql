SELECT projection, build, key, resume FROM summa_read.projection_paused_key
