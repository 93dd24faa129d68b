int gemel_dummy;
