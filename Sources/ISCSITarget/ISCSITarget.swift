// ISCSITarget: to be filled.
