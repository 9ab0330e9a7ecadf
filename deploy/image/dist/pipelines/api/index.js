// In the image at /app/dist: what package.json exports leads to the sources, which Node runs as they are.
export * from '../../../pipelines/api/index.ts'
