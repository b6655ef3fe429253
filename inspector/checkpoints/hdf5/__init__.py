"""A reader of HDF5 files in bounded parts, with the standard library alone.

h5py is not used: the C library below it follows whatever a file says, inside of our process.

Source of all modules here: the HDF5 File Format Specification, version 3.0 ("the specification"
in what follows), and for what it leaves open the headers of libhdf5 2.0.
"""
