print("gemel")
