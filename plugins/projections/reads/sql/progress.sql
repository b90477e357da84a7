SELECT position, holes FROM summa_read.projection_checkpoint WHERE projection = $1 AND role = 'live'
