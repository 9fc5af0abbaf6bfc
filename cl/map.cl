/* clgrad-template 1 */
/* map.cl -- an element-wise expression, several results at once.
 *
 * needs   as rows.cl, which follows; BODY_V, BODY_S: statements for WIDTH lanes and for one
 * launch  as rows.cl
 * bits    as rows.cl */
#define STEP_V BODY_V
#define STEP_S BODY_S
