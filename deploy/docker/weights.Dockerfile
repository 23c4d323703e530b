# Weights and nothing else, for Kubernetes' image volumes (deploy/k8s/components/weights-image-volume). Needs a way out.
# Context: the repository's root. docker build -f deploy/docker/weights.Dockerfile -t unflat-weights:VERSION .
# MODELS: names from `unflat models list`. Their licences go with the image: see NOTICE.
ARG UNFLAT_IMAGE=unflat:0.1.0

FROM ${UNFLAT_IMAGE} AS pull
ARG MODELS="isnet-general-use depth-anything-v2-vits triposr"
RUN unflat models pull ${MODELS} --wait 3600

FROM scratch
LABEL org.opencontainers.image.title="unflat-weights"
COPY --from=pull /models /
COPY NOTICE /
