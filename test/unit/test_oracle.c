/*
 * test_oracle.c: posteriors against ridge and logistic regression in 50 digits.
 *
 * The golden design has columns up to 15.6; everything is halved, so that
 * |x| <= 8.  That is exact: weights double, the precision is divided by 4.
 *
 * Tolerances.  Against the 50 digits stand the columns' rounding to float4
 * (relative 2^-24, as the golden columns are decimals) and 2260 roundings of 2^-25 in
 * every sum: random walks of about 1e-6 in the sums, which the posterior divides
 * by the precision (tens to hundreds; less where the prior is all there is).  So
 * 2e-7 to 1e-6 is what can be expected; a wrong formula is off by 1e-3 or more.
 */
#include "../../src/math/special.h"
#include "../../src/model/oracle.h"
#include "unit.h"

enum
{
	DIM = 14, ROWS = 2260
};

#define TOLERANCE 2e-6

static float design[ROWS][DIM];
static double target[ROWS];
static int	rows = 0;
static double scratch[XS_GLM_SUMS(DIM)];

static void
design_row(char **field, void *context)
{
	int			i;

	(void) context;
	for (i = 0; i < DIM; i++)
		design[rows][i] = (float) (0.5 * strtod(field[i + 1], NULL));
	target[rows++] = strtod(field[DIM + 1], NULL);
}

static XsGlm *
new_glm(int dim, XsLink link)
{
	XsGlm	   *glm = calloc(1, XS_GLM_SIZE(dim));

	glm->dim = dim;
	glm->link = link;
	return glm;
}

static XsStatus
observe_all(XsGlm *glm, const double *mean)
{
	int			status = XS_OK;
	int			i;

	memset(glm->sums, 0, sizeof(int64_t) * XS_GLM_SUMS(DIM));
	for (i = 0; i < rows; i++)
		status |= xs_glm_observe(glm, design[i], target[i], mean ? xs_dot(mean, design[i], DIM) : 0.0,
								 1.0, 1);
	return status;
}

typedef struct Posterior
{
	double		lambda;
	double		mean[DIM];
	double		covariance[XS_PACKED_SIZE(DIM)];
	Worst		worst;
} Posterior;

static void
coefficient_row(char **field, void *context)
{
	Posterior  *p = context;
	int			i = atoi(field[1]);

	if (strtod(field[0], NULL) == p->lambda)
		worst(&p->worst, fabs(0.5 * p->mean[i] - strtod(field[2], NULL)),
			  "lambda %s, coefficient %d", field[0], i);
}

static void
covariance_row(char **field, void *context)
{
	Posterior  *p = context;
	int			i = atoi(field[1]);
	int			j = atoi(field[2]);

	if (strtod(field[0], NULL) == p->lambda)
		worst(&p->worst, fabs(0.25 * p->covariance[i >= j ? XS_PACKED_INDEX(i, j) : XS_PACKED_INDEX(j, i)] -
							  strtod(field[3], NULL)), "lambda %s, (%d,%d)", field[0], i, j);
}

static void
predict_row(char **field, void *context)
{
	Posterior  *p = context;
	const XsOracle *oracle = xs_oracle("logistic");
	int			row = atoi(field[1]) - 1;
	XsPrior		prior = {.neutral_rate = 0.5,.strength = 1,.precision = p->lambda / 4,
	.intercept_precision = p->lambda / 4,.slope_precision = 1};
	XsGlm	   *glm;
	XsEvidence	evidence = {NULL, NULL};
	XsPrediction out;
	void	   *model;

	if (strtod(field[0], NULL) != p->lambda)
		return;
	glm = new_glm(DIM, XS_LOGIT);
	model = malloc(oracle->model_size(DIM));
	observe_all(glm, p->mean);
	evidence.glm = glm;
	if (oracle->prepare(model, DIM, &evidence, &prior, scratch) != XS_OK)
		worst(&p->worst, HUGE_VAL, "prepare");
	oracle->predict(model, design[row], 0.5, &out);
	worst(&p->worst, fabs(out.mean - strtod(field[2], NULL)), "eta of row %d", row);
	worst(&p->worst, fabs(out.variance - strtod(field[3], NULL)), "variance of row %d", row);
	worst(&p->worst, fabs(out.rate - strtod(field[4], NULL)), "rate of row %d", row);
	free(glm);
	free(model);
}

static void
test_ridge(void)
{
	static const double lambdas[] = {0.01, 1.0, 10.0, 1000.0};
	XsGlm	   *glm = new_glm(DIM, XS_IDENTITY);
	Posterior	p = {0};
	int			i;
	int			good;

	good = observe_all(glm, NULL) == XS_OK;
	for (i = 0; i < 4; i++)
	{
		p.lambda = lambdas[i];
		good &= xs_glm_posterior(glm, p.lambda / 4, p.mean, p.covariance, scratch) == XS_OK;
		each_row("linear_coef.csv", coefficient_row, &p);
		each_row("linear_inverse.csv", covariance_row, &p);
	}
	CHECK(good && rows == ROWS, "the bank's rows");
	CHECK_WORST(p.worst, TOLERANCE, "identity link: ridge regression");
	free(glm);
}

/* Re-linearised to convergence, the posterior is the MAP with Laplace's covariance. */
static void
test_map(void)
{
	static const double lambdas[] = {0.1, 1.0, 10.0};
	XsGlm	   *glm = new_glm(DIM, XS_LOGIT);
	Posterior	p = {0};
	Worst		predictions = {0};
	int			i,
				pass;
	int			good = 1;

	for (i = 0; i < 3; i++)
	{
		p.lambda = lambdas[i];
		memset(p.mean, 0, sizeof(p.mean));
		for (pass = 0; pass < 12; pass++)
		{
			good &= observe_all(glm, p.mean) == XS_OK;
			good &= xs_glm_posterior(glm, p.lambda / 4, p.mean, p.covariance, scratch) == XS_OK;
		}
		each_row("logistic_coef.csv", coefficient_row, &p);
		each_row("logistic_covariance.csv", covariance_row, &p);
		{
			Worst		kept = p.worst;

			p.worst = predictions;
			each_row("logistic_predict.csv", predict_row, &p);
			predictions = p.worst;
			p.worst = kept;
		}
	}
	CHECK(good, "12 passes");
	CHECK_WORST(p.worst, TOLERANCE, "logit, re-linearised: MAP and Laplace covariance");
	CHECK_WORST(predictions, TOLERANCE, "predictions: mean, variance, MacKay's moderated rate");
	free(glm);
}

static XsPrior
some_prior(void)
{
	XsPrior		prior = {.neutral_rate = 0.03,.strength = 20,.precision = 5,
	.intercept_precision = 1,.slope_precision = 4};

	return prior;
}

/* Before evidence: the neutral rate, or the propensity itself. */
static void
test_priors(void)
{
	XsEvidence	none = {NULL, NULL};
	float		x[3] = {1.0f, 0.0f, 0.0f};
	double		model[100];
	double		addends[3];
	XsPrediction out;
	XsPrior		prior = some_prior();
	const XsOracle *logistic = xs_oracle("logistic");
	const XsOracle *linear = xs_oracle("linear");

	CHECK(logistic->model_size(3) <= sizeof(model) && logistic->model_size(3) % 8 == 0, "model size");
	CHECK(logistic->prepare(model, 3, &none, &prior, scratch) == XS_OK, "prepare without evidence");
	logistic->predict(model, x, 0.03, &out);
	CHECK_CLOSE(out.mean, log(0.03 / 0.97), 1e-15, "intercept: logit of the neutral rate");
	CHECK_CLOSE(out.variance, 1.0, 1e-15, "and its prior variance");
	CHECK_CLOSE(out.rate, 1.0 / (1.0 + exp(-out.mean / sqrt(1.0 + M_PI / 8.0))), 1e-15, "moderated");

	prior.has_propensity = prior.uses_propensity = 1;
	x[1] = 0.5f;
	x[2] = (float) xs_propensity_feature(0.2);
	CHECK(logistic->prepare(model, 3, &none, &prior, scratch) == XS_OK, "prepare with a propensity");
	logistic->predict(model, x, 0.2, &out);
	CHECK_CLOSE(out.mean, log(0.2 / 0.8), 1e-7, "the propensity itself");
	CHECK_CLOSE(out.mean, x[2] + log(0.05 / 0.95), 1e-14, "but for the column's float4");
	CHECK_CLOSE(out.variance, 1.0 + 0.25 / 5.0 + (double) x[2] * x[2] / 4.0, 1e-14, "slope variance");
	logistic->contributions(model, x, addends);
	CHECK(addends[0] + addends[1] + addends[2] == out.mean, "contributions sum to the mean");
	prior.uses_propensity = 0;
	CHECK(logistic->prepare(model, 3, &none, &prior, scratch) == XS_OK, "a product without one");
	logistic->predict(model, x, 0.2, &out);
	CHECK_CLOSE(out.mean, log(0.03 / 0.97), 1e-15, "does not start from the column");

	prior = some_prior();
	x[2] = 0.0f;
	CHECK(linear->prepare(model, 3, &none, &prior, scratch) == XS_OK, "linear");
	linear->predict(model, x, 0.03, &out);
	CHECK_CLOSE(out.rate, 0.03, 1e-15, "linear: the neutral rate");
	CHECK_CLOSE(out.mean, xs_logit(0.03), 1e-13, "linear: on the logit scale");
	CHECK_CLOSE(1.0 / (1.0 + exp(-out.mean - sqrt(out.variance))), fmin(0.03 + sqrt(1.05), 1.0 - 1e-4),
				1e-12, "linear: one sd up is one sd up");
	prior.neutral_rate = 0.97;
	linear->prepare(model, 3, &none, &prior, scratch);
	linear->predict(model, x, 0.97, &out);
	CHECK_CLOSE(1.0 / (1.0 + exp(-out.mean + sqrt(out.variance))), fmax(0.97 - sqrt(1.05), 1e-4),
				1e-12, "linear: above 1/2, one sd down");
	prior = some_prior();
	prior.has_propensity = prior.uses_propensity = 1;
	x[2] = (float) xs_propensity_feature(0.03);
	linear->prepare(model, 3, &none, &prior, scratch);
	linear->predict(model, x, 0.03, &out);
	CHECK_CLOSE(out.rate, 0.03, 1e-8, "linear: the propensity, to first order");
	x[2] = -9.2f;
	linear->predict(model, x, 0.0001, &out);
	CHECK(out.rate == 0.0 && out.mean == xs_propensity_logit(0.0) && out.variance >= 0.0, "linear: clamped");
}

static void
test_refusals(void)
{
	XsGlm	   *glm = new_glm(DIM, XS_IDENTITY);
	XsBeta		bad = {1, 5, 6};
	XsEvidence	evidence = {NULL, glm};
	XsEvidence	none = {NULL, NULL};
	XsPrior		prior = some_prior();
	void	   *model = malloc(xs_oracle("logistic")->model_size(DIM));
	int			good = 1;
	int			i;

	CHECK(!xs_oracle("oracle") && !xs_oracle(""), "no such oracle");
	CHECK(xs_oracle("logistic")->prepare(model, DIM, &evidence, &prior, scratch) == XS_DIMENSION, "other link");
	CHECK(xs_oracle("linear")->prepare(model, DIM - 1, &evidence, &prior, scratch) == XS_DIMENSION,
		  "other dimension");
	CHECK(xs_oracle("linear")->prepare(model, 0, &none, &prior, scratch) == XS_DIMENSION, "no dimension");
	for (i = 0; i < 6; i++)
	{
		XsPrior		p = some_prior();

		p.has_propensity = 1;
		if (i == 0)
			p.neutral_rate = 0.0;
		if (i == 1)
			p.neutral_rate = NAN;
		if (i == 2)
			p.precision = 0.0;
		if (i == 3)
			p.intercept_precision = -1.0;
		if (i == 4)
			p.slope_precision = NAN;
		if (i == 5)
			p.precision = INFINITY;
		good &= xs_oracle("logistic")->prepare(model, DIM, &none, &p, scratch) == XS_RANGE;
	}
	CHECK(good, "impossible priors");
	evidence.glm = NULL;
	evidence.beta = &bad;
	CHECK(xs_oracle("beta")->prepare(model, DIM, &evidence, &prior, scratch) == XS_RANGE,
		  "more successes than trials");
	glm->sums[DIM] = -(INT64_C(1) << 40);
	CHECK(xs_glm_posterior(glm, 1.0, NULL, NULL, scratch) == XS_NOT_POSITIVE, "negative precision");
	CHECK(xs_glm_posterior(glm, 0.0, NULL, NULL, scratch) == XS_RANGE, "no prior precision");
	free(glm);
	free(model);
}

static void
test_beta(void)
{
	const XsOracle *oracle = xs_oracle("beta");
	double		model[20];
	XsBeta		counts = {100, INT64_C(100) << 24, INT64_C(7) << 24};
	XsEvidence	evidence = {&counts, NULL};
	XsEvidence	none = {NULL, NULL};
	XsPrior		prior = some_prior();
	float		x[1] = {1.0f};
	double		addend = 1.0;
	XsPrediction out;
	XsPrediction same;

	CHECK(oracle->model_size(1) <= sizeof(model), "beta: model size");
	prior.strength = 10;
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_OK, "beta: prepare");
	oracle->predict(model, x, 0.1, &out);
	CHECK_CLOSE(out.rate, 8.0 / 110.0, 1e-16, "beta: rate");
	/* digamma(8) - digamma(102) = H_7 - H_101, trigamma likewise: sums of rationals */
	{
		double		mean = 0.0;
		double		variance = M_PI * M_PI / 3.0;
		int			k;

		for (k = 1; k <= 101; k++)
		{
			if (k > 7)
				mean -= 1.0 / k;
			variance -= (k <= 7 ? 2.0 : 1.0) / ((double) k * k);
		}
		CHECK_CLOSE(out.mean, mean, 1e-13, "beta: mean of the logit");
		CHECK_CLOSE(out.variance, variance, 1e-13, "beta: variance of the logit");
	}
	oracle->predict(model, x, prior.neutral_rate, &out);
	oracle->predict(model, x, NAN, &same);
	CHECK(memcmp(&out, &same, sizeof(out)) == 0, "beta: no propensity is the neutral rate");
	oracle->contributions(model, x, &addend);
	CHECK(addend == 0.0, "beta: no contributions");
	CHECK(oracle->prepare(model, 1, &none, &prior, scratch) == XS_OK, "beta: without evidence");
	oracle->predict(model, x, 0.0, &out);
	CHECK_CLOSE(out.rate, 1e-4, 1e-18, "beta: the propensity, clamped");
	CHECK(out.mean == -XS_MAX_PREDICTOR, "beta: the mean, clamped");
	CHECK_CLOSE(xs_propensity_logit(0.5), 0.0, 0.0, "propensity 1/2");
	CHECK_CLOSE(xs_propensity_feature(0.05), 0.0, 1e-15, "propensity 5 %");
	CHECK_CLOSE(xs_propensity_feature(1.0), 8.0, 0.0, "its column is clipped");
	CHECK(xs_propensity_logit(2.0) == xs_propensity_logit(1.0) &&
		  xs_propensity_logit(NAN) == xs_propensity_logit(0.0), "propensities are clamped");
}

int
main(int argc, char **argv)
{
	begin(argc, argv);
	each_row("bank_design.csv", design_row, NULL);
	test_ridge();
	test_map();
	test_priors();
	test_refusals();
	test_beta();
	return done();
}
