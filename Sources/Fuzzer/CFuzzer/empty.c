// Empty on purpose: the header says what the fuzzing runtime has.
