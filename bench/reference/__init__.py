"""The networks and algorithms as they are usually run: eager torch, dense grids. What ours is measured against."""
