/*
 * test_oracle.c: posteriors against ridge and logistic regression in 50 digits,
 * conversion rates against closed forms.
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
	XsEvidence	evidence = {NULL, NULL, 0, NULL};
	XsInput		in = {design[row], 0.5, -1};
	XsPrediction out;
	void	   *model;

	if (strtod(field[0], NULL) != p->lambda)
		return;
	glm = new_glm(DIM, XS_LOGIT);
	model = malloc(oracle->model_size(DIM, 0, NULL));
	observe_all(glm, p->mean);
	evidence.glm = glm;
	if (oracle->prepare(model, DIM, &evidence, &prior, scratch) != XS_OK)
		worst(&p->worst, HUGE_VAL, "prepare");
	oracle->predict(model, &in, &out);
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
	.intercept_precision = 1,.slope_precision = 4,.trust = 1};

	return prior;
}

/* Before evidence: the neutral rate, or the propensity itself. */
static void
test_priors(void)
{
	XsEvidence	none = {NULL, NULL, 0, NULL};
	float		x[3] = {1.0f, 0.0f, 0.0f};
	double		model[100];
	double		addends[3];
	XsInput		in = {x, 0.03, -1};	/* the propensity is read from x */
	XsPrediction out;
	XsPrior		prior = some_prior();
	const XsOracle *logistic = xs_oracle("logistic");
	const XsOracle *linear = xs_oracle("linear");

	CHECK(logistic->model_size(3, 0, NULL) <= sizeof(model) && logistic->model_size(3, 0, NULL) % 8 == 0, "model size");
	CHECK(logistic->prepare(model, 3, &none, &prior, scratch) == XS_OK, "prepare without evidence");
	logistic->predict(model, &in, &out);
	CHECK_CLOSE(out.mean, log(0.03 / 0.97), 1e-15, "intercept: logit of the neutral rate");
	CHECK_CLOSE(out.variance, 1.0, 1e-15, "and its prior variance");
	CHECK_CLOSE(out.rate, 1.0 / (1.0 + exp(-out.mean / sqrt(1.0 + M_PI / 8.0))), 1e-15, "moderated");

	prior.has_propensity = prior.uses_propensity = 1;
	x[1] = 0.5f;
	x[2] = (float) xs_propensity_feature(0.2);
	CHECK(logistic->prepare(model, 3, &none, &prior, scratch) == XS_OK, "prepare with a propensity");
	logistic->predict(model, &in, &out);
	CHECK_CLOSE(out.mean, log(0.2 / 0.8), 1e-7, "the propensity itself");
	CHECK_CLOSE(out.mean, x[2] + log(0.05 / 0.95), 1e-14, "but for the column's float4");
	CHECK_CLOSE(out.variance, 1.0 + 0.25 / (5.0 * 8.0) + (double) x[2] * x[2] / 4.0, 1e-14,
				"slope variance, and features held back by a trusted propensity");
	prior.trust = 0.0;
	CHECK(logistic->prepare(model, 3, &none, &prior, scratch) == XS_OK, "one that is not trusted");
	logistic->predict(model, &in, &out);
	CHECK_CLOSE(out.variance, 1.0 + 0.25 / 5.0 + (double) x[2] * x[2] / 4.0, 1e-14, "holds nothing back");
	prior.trust = 1.0;
	CHECK(logistic->prepare(model, 3, &none, &prior, scratch) == XS_OK, "trusted again");
	logistic->contributions(model, &in, addends);
	CHECK(addends[0] + addends[1] + addends[2] == out.mean, "contributions sum to the mean");
	prior.uses_propensity = 0;
	CHECK(logistic->prepare(model, 3, &none, &prior, scratch) == XS_OK, "a product without one");
	logistic->predict(model, &in, &out);
	CHECK_CLOSE(out.mean, log(0.03 / 0.97), 1e-15, "does not start from the column");

	prior = some_prior();
	x[2] = 0.0f;
	CHECK(linear->prepare(model, 3, &none, &prior, scratch) == XS_OK, "linear");
	linear->predict(model, &in, &out);
	CHECK_CLOSE(out.rate, 0.03, 1e-15, "linear: the neutral rate");
	CHECK_CLOSE(out.mean, xs_logit(0.03), 1e-13, "linear: on the logit scale");
	CHECK_CLOSE(1.0 / (1.0 + exp(-out.mean - sqrt(out.variance))), 0.03 + sqrt(0.03 * 0.97 * 1.05),
				1e-12, "linear: one sd up is one sd up");
	prior.neutral_rate = 0.97;
	linear->prepare(model, 3, &none, &prior, scratch);
	linear->predict(model, &in, &out);
	CHECK_CLOSE(1.0 / (1.0 + exp(-out.mean + sqrt(out.variance))), 0.97 - sqrt(0.03 * 0.97 * 1.05),
				1e-12, "linear: above 1/2, one sd down");
	prior = some_prior();
	prior.has_propensity = prior.uses_propensity = 1;
	x[2] = (float) xs_propensity_feature(0.03);
	linear->prepare(model, 3, &none, &prior, scratch);
	linear->predict(model, &in, &out);
	CHECK_CLOSE(out.rate, 0.03, 1e-8, "linear: the propensity, to first order");
	x[2] = -8.0f;
	linear->predict(model, &in, &out);
	CHECK(out.rate == 0.0 && out.mean == xs_propensity_logit(0.0) && out.variance >= 0.0, "linear: clamped");
}

static void
test_refusals(void)
{
	XsGlm	   *glm = new_glm(DIM, XS_IDENTITY);
	XsBeta		bad = {1, 5, 6};
	XsEvidence	evidence = {NULL, glm, 0, NULL};
	XsEvidence	none = {NULL, NULL, 0, NULL};
	XsPrior		prior = some_prior();
	void	   *model = malloc(xs_oracle("logistic")->model_size(DIM, 0, NULL));
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
	CHECK(xs_oracle("segment")->prepare(model, DIM, &evidence, &prior, scratch) == XS_RANGE &&
		  xs_oracle("linear")->prepare(model, DIM, &evidence, &prior, scratch) == XS_RANGE, "by whatever oracle");
	evidence.beta = NULL;
	for (i = 0; i < 5; i++)
	{
		XsPrior		p = some_prior();

		if (i == 0)
			p.trust = -0.1;
		if (i == 1)
			p.trust = 1.1;
		if (i == 2)
			p.trust = NAN;
		if (i == 3)
			p.strength = 0.0;
		if (i == 4)
			p.neutral_rate = 1.0;
		good &= xs_oracle("beta")->prepare(model, DIM, &evidence, &p, scratch) == XS_RANGE;
		good &= xs_oracle("segment")->prepare(model, DIM, &evidence, &p, scratch) == XS_RANGE;
		good &= xs_oracle("linear")->prepare(model, DIM, &evidence, &p, scratch) == (i < 3 ? XS_OK : XS_RANGE);
	}
	CHECK(good, "impossible rates, strengths and trusts");
	prior.has_propensity = 1;
	CHECK(xs_oracle("logistic")->prepare(model, 1, &none, &prior, scratch) == XS_DIMENSION,
		  "no place for the propensity");
	glm->sums[DIM] = -(INT64_C(1) << 40);
	CHECK(xs_glm_posterior(glm, 1.0, NULL, NULL, scratch) == XS_NOT_POSITIVE, "negative precision");
	CHECK(xs_glm_posterior(glm, 0.0, NULL, NULL, scratch) == XS_RANGE, "no prior precision");
	free(glm);
	free(model);
}

/*
 * Mean and variance of the logit of a Beta(a, b) variable, a and b integers:
 * digamma(n) - digamma(1) = sum of 1/k, trigamma(n) = pi^2/6 - sum of 1/k^2, k < n.
 */
static void
logit_moments(int a, int b, double *mean, double *variance)
{
	int			k;

	*mean = 0.0;
	*variance = M_PI * M_PI / 3.0;
	for (k = 1; k < a || k < b; k++)
	{
		*mean += ((k < a) - (k < b)) / (double) k;
		*variance -= ((k < a) + (k < b)) / ((double) k * k);
	}
}

/* The prediction is that of Beta(a, b). */
static void
check_rate(const XsOracle *oracle, const void *model, double propensity, int segment, int a, int b,
		   const char *name)
{
	XsInput		in = {NULL, propensity, segment};
	XsPrediction out;
	Worst		w = {0};
	double		mean,
				variance;

	oracle->predict(model, &in, &out);
	logit_moments(a, b, &mean, &variance);
	worst(&w, fabs(out.rate - (double) a / (a + b)), "rate");
	worst(&w, fabs(out.mean - mean), "mean of the logit");
	worst(&w, fabs(out.variance - variance), "variance of the logit");
	CHECK_WORST(w, 1e-13, name);
}

static XsBeta
counts_of(int successes, int failures)
{
	XsBeta		counts = {successes + failures, (int64_t) (successes + failures) << 24, (int64_t) successes << 24};

	return counts;
}

static void
test_beta(void)
{
	const XsOracle *oracle = xs_oracle("beta");
	double		model[20];
	XsBeta		counts = counts_of(7, 93);
	XsEvidence	evidence = {&counts, NULL, 0, NULL};
	XsEvidence	none = {NULL, NULL, 0, NULL};
	XsPrior		prior = some_prior();
	XsInput		in = {NULL, 0.03, -1};
	double		addend = 1.0;
	XsPrediction out;
	XsPrediction same;

	CHECK(oracle->model_size(1, 0, NULL) <= sizeof(model), "beta: model size");
	prior.strength = 10;
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_OK, "beta: prepare");
	check_rate(oracle, model, 0.1, -1, 8, 102, "beta: the propensity and the counts");
	check_rate(oracle, model, 0.1, 3, 8, 102, "beta: in any segment");
	oracle->predict(model, &in, &out);
	in.propensity = NAN;
	oracle->predict(model, &in, &same);
	CHECK(memcmp(&out, &same, sizeof(out)) == 0, "beta: no propensity is the neutral rate");
	oracle->contributions(model, &in, &addend);
	CHECK(addend == 0.0, "beta: no contributions");
	CHECK(oracle->prepare(model, 1, &none, &prior, scratch) == XS_OK, "beta: without evidence");
	in.propensity = 0.0;
	oracle->predict(model, &in, &out);
	CHECK_CLOSE(out.rate, 1e-4, 1e-18, "beta: the propensity, clamped");
	CHECK(out.mean == -XS_MAX_PREDICTOR, "beta: the mean, clamped");

	prior.strength = 20;
	prior.neutral_rate = 0.1;
	prior.trust = 0.5;
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_OK, "beta: half trust");
	check_rate(oracle, model, 0.2, -1, 3 + 7, 17 + 93, "beta: between the propensity and the neutral rate");
	check_rate(oracle, model, NAN, -1, 2 + 7, 18 + 93, "beta: without a propensity as ever");
	prior.trust = 0.0;
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_OK, "beta: no trust");
	check_rate(oracle, model, 0.9, -1, 2 + 7, 18 + 93, "beta: the neutral rate");
}

static void
test_segment(void)
{
	const XsOracle *oracle = xs_oracle("segment");
	const XsOracle *beta = xs_oracle("beta");
	double		model[60];
	double		plain[20];
	XsBeta		counts = counts_of(14, 43);
	XsBeta		segments[2];
	XsEvidence	evidence = {&counts, NULL, 2, segments};
	XsPrior		prior = some_prior();
	XsInput		in = {NULL, 0.3, -1};
	XsPrediction p,
				q;
	int			same = 1;
	int			i;

	segments[0] = counts_of(5, 12);
	segments[1] = counts_of(9, 31);
	prior.strength = 10;
	prior.neutral_rate = 0.6;
	CHECK(oracle->needs_segments && !beta->needs_segments && !oracle->needs_features, "what is looked at");
	CHECK(oracle->model_size(1, 2, NULL) <= sizeof(model), "segment: model size");
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_OK, "segment: prepare");
	/* the others' rate is (1 + 9) / (10 + 40) = 0.2, so the segment's prior is 2 : 8 */
	check_rate(oracle, model, 0.1, 0, 2 + 5, 8 + 12, "segment: around the rate of the others");
	/* (6 + 9) / (10 + 40) = 0.3 */
	check_rate(oracle, model, NAN, 0, 3 + 5, 7 + 12, "segment: without a propensity");
	beta->prepare(plain, 1, &evidence, &prior, scratch);
	for (i = 1; i < 100; i++)
	{
		in.propensity = 0.01 * i;
		oracle->predict(model, &in, &p);
		beta->predict(plain, &in, &q);
		same &= memcmp(&p, &q, sizeof(p)) == 0;
	}
	CHECK(same, "no segment: the product's rate, as the oracle beta has it");
	in.propensity = 0.3;
	beta->predict(plain, &in, &q);
	in.segment = 7;
	oracle->predict(model, &in, &p);
	CHECK_CLOSE(p.rate, (10 * 0.3 + 14) / 67.0, 1e-15, "a segment without evidence: the product's rate");
	CHECK(p.variance > 2.0 * q.variance, "but no surer of it than the strength");

	prior.trust = 0.5;
	prior.neutral_rate = 0.1;
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_OK, "segment: half trust");
	/* propensity 0.1 as well: still 0.2; 0.9 makes it 10 * 0.5 + 9 */
	check_rate(oracle, model, 0.1, 0, 2 + 5, 8 + 12, "segment: propensity and neutral rate agree");
	in.segment = 0;
	in.propensity = 0.9;
	oracle->predict(model, &in, &p);
	CHECK_CLOSE(p.rate, (10 * 14.0 / 50.0 + 5) / 27.0, 1e-15, "segment: between the two");

	evidence.segments = NULL;
	evidence.nsegments = 0;
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_OK, "no segments yet");
	in.propensity = 0.1;
	oracle->predict(model, &in, &p);
	CHECK_CLOSE(p.rate, (1 + 14) / 67.0, 1e-15, "each is the product");
	evidence.segments = segments;
	evidence.nsegments = 2;
	segments[0] = counts_of(15, 12);
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_RANGE, "more successes than the product");
	segments[0] = counts_of(5, 44);
	CHECK(oracle->prepare(model, 1, &evidence, &prior, scratch) == XS_RANGE, "more failures than the product");
}

/* Ridge regression's inverse, times p (1-p) of the product's rate. */
typedef struct Ridge
{
	double		coefficient[DIM];
	double		inverse[DIM][DIM];
} Ridge;

static void
ridge_coefficient(char **field, void *context)
{
	Ridge	   *ridge = context;

	if (strtod(field[0], NULL) == 10.0)
		ridge->coefficient[atoi(field[1])] = 2.0 * strtod(field[2], NULL);
}

static void
ridge_inverse(char **field, void *context)
{
	Ridge	   *ridge = context;
	int			i = atoi(field[1]);
	int			j = atoi(field[2]);

	if (strtod(field[0], NULL) == 10.0)
		ridge->inverse[i][j] = ridge->inverse[j][i] = 4.0 * strtod(field[3], NULL);
}

static void
test_linear_noise(void)
{
	const XsOracle *oracle = xs_oracle("linear");
	XsGlm	   *glm = new_glm(DIM, XS_IDENTITY);
	void	   *model = malloc(oracle->model_size(DIM, 0, NULL));
	XsBeta		counts = {0};
	XsEvidence	evidence = {&counts, glm, 0, NULL};
	/* so small a rate that ridge regression's prior mean is 0 */
	XsPrior		prior = {.neutral_rate = 1e-9,.strength = 100,.precision = 10.0 / 4,.intercept_precision = 10.0 / 4};
	static Ridge ridge;
	Worst		rates = {0};
	Worst		sds = {0};
	double		successes = 0.0;
	double		p;
	int			i,
				j,
				row;

	observe_all(glm, NULL);
	for (row = 0; row < rows; row++)
	{
		xs_beta_observe(&counts, target[row], 1.0, 1);
		successes += target[row];
	}
	each_row("linear_coef.csv", ridge_coefficient, &ridge);
	each_row("linear_inverse.csv", ridge_inverse, &ridge);
	p = (successes + 100 * 1e-9) / (rows + 100);
	CHECK(oracle->prepare(model, DIM, &evidence, &prior, scratch) == XS_OK, "linear: prepare");
	for (row = 0; row < rows; row += 7)
	{
		XsInput		in = {design[row], NAN, -1};
		XsPrediction out;
		double		rate = 0.0;
		double		variance = 0.0;

		for (i = 0; i < DIM; i++)
		{
			rate += ridge.coefficient[i] * design[row][i];
			for (j = 0; j < DIM; j++)
				variance += p * (1 - p) * design[row][i] * ridge.inverse[i][j] * design[row][j];
		}
		if (rate < 0.01 || rate > 0.45)
			continue;			/* where rates are not clamped */
		oracle->predict(model, &in, &out);
		worst(&rates, fabs(out.rate - rate), "row %d", row);
		worst(&sds, fabs(1 / (1 + exp(-out.mean - sqrt(out.variance))) - rate - sqrt(variance)), "row %d", row);
	}
	CHECK_WORST(rates, TOLERANCE, "linear: ridge regression's rate, whatever the noise");
	CHECK_WORST(sds, TOLERANCE, "linear: its standard deviation times the rewards'");

	evidence.beta = NULL;
	prior.neutral_rate = 0.2;
	CHECK(oracle->prepare(model, DIM, &evidence, &prior, scratch) == XS_OK, "linear: without counts");
	{
		XsInput		in = {design[0], NAN, -1};
		XsPrediction out;
		double		variance = 0.0;

		for (i = 0; i < DIM; i++)
			for (j = 0; j < DIM; j++)
				variance += 0.2 * 0.8 * design[0][i] * ridge.inverse[i][j] * design[0][j];
		oracle->predict(model, &in, &out);
		CHECK_CLOSE(1 / (1 + exp(-out.mean - sqrt(out.variance))) - out.rate, sqrt(variance), TOLERANCE,
					"linear: then the noise of the neutral rate");
	}
	free(glm);
	free(model);
}

/* A trusted propensity holds features back by as much as it tells customers apart. */
static void
test_trusted(void)
{
	const XsOracle *logistic = xs_oracle("logistic");
	XsPrior		prior = some_prior();
	XsGlm	   *glm = new_glm(3, XS_LOGIT);
	XsBeta		beta = {0, 0, 0};
	XsEvidence	evidence = {&beta, glm, 0, NULL};
	double		trusted[100];
	double		plain[100];
	float		x[3] = {1.0f, 0.5f, 1.5f};
	XsInput		in = {x, 0.1, -1};
	XsPrediction a;
	XsPrediction b;
	int			i;

	prior.has_propensity = prior.uses_propensity = 1;
	/* weight p (1-p) at m = 0 is 1/4: 40 rows weigh 10; the column has variance 1/4, or none */
	for (i = 0; i < 40; i++)
	{
		float		row[3] = {1.0f, 0.0f, 0.0f};

		row[1] = (float) (i % 3) - 1.0f;
		row[2] = i % 2 ? 0.5f : -0.5f;
		if (xs_glm_observe(glm, row, i % 5 == 0, 0.0, 1.0, 1) != XS_OK)
			abort();
	}
	prior.trust = 0.5;
	CHECK(logistic->prepare(trusted, 3, &evidence, &prior, scratch) == XS_OK, "half trusted");
	logistic->predict(trusted, &in, &a);
	prior.precision *= 1.0 + 7.0 * 0.5 * (1.0 + 10.0 * 0.25) / 11.0;
	prior.trust = 0.0;
	CHECK(logistic->prepare(plain, 3, &evidence, &prior, scratch) == XS_OK, "and by hand");
	logistic->predict(plain, &in, &b);
	CHECK_CLOSE(a.mean, b.mean, 1e-13, "a trusted propensity: mean");
	CHECK_CLOSE(a.variance, b.variance, 1e-13, "and variance");
	free(glm);
}

static void
test_propensity(void)
{
	CHECK_CLOSE(xs_propensity_logit(0.5), 0.0, 0.0, "propensity 1/2");
	CHECK_CLOSE(xs_propensity_feature(0.05), 0.0, 1e-15, "propensity 5 %");
	CHECK_CLOSE(xs_propensity_feature(1.0), 4.0, 0.0, "its column is clipped");
	CHECK_CLOSE(xs_propensity_feature(0.0), -4.0, 0.0, "at both ends");
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
	test_segment();
	test_linear_noise();
	test_propensity();
	test_trusted();
	return done();
}
