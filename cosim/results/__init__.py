"""Result folder of a run: the schema of every table, reader, writer, and the manifest.

``schemas`` names each table's columns with their units, ``writer`` puts them into Parquet files in
a folder that appears only when it is whole, and ``manifest`` states how the folder came to be and
what its files' hashes are.
"""
