/* clgrad-template 1 */
/* math.cl -- our own elementary functions, one text for scalar and vector types. Put before templates that ask for it. */
