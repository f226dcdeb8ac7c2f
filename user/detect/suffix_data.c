/* user/detect/suffix_data.c - printed by tools/train/suffix.c. */
#include "detect/suffix.h"

const float suffix_weights[SUFFIX_MAX_] = {
	0.31336f,  0.09647f,  -1.77520f, 0.71889f,  -1.53412f, -1.04999f, 3.56218f,
	-0.36631f, 0.13057f,  -1.74289f, 7.04109f,  -0.53519f, 0.33376f,  -3.44657f,
	1.35156f,  -0.16286f, -0.01878f, 30.05470f, 7.37049f,
};
const float suffix_bias = -53.52607f;
