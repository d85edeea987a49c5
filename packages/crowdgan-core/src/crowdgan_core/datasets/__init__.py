"""Training datasets on disk: metadata, formats (ZIP, folder, HDF5), inspection."""
