"""One data set per file, all into one HDF5 layout. Imported as ``mocap3d.data_prep`` only."""
